#!/bin/sh
# Starts well and answers, then dies: what a deploy must find out before anybody is sent here.
nc -llllllll -p 7000 -e /bin/sh /answer.sh &
sleep 0.2
exit 3
