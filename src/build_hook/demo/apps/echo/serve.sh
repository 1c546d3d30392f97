#!/bin/sh
# One answer.sh per connection. Each l adds one to the queue of connections not yet accepted.
nc -llllllllllllllllllllllllllllllll -p 7000 -e /bin/sh /answer.sh &
trap 'kill $!; exit 0' TERM
wait
