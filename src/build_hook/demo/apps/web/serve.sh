#!/bin/sh
# Answers every GET / with the version. Process 1 has to pass the stop signal on by itself.
httpd -f -p 8000 -h /www &
trap 'kill $!; exit 0' TERM
wait
