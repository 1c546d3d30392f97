#!/bin/sh
# Answers every line with the version and the line.
read -r version < /version.txt
while read -r line; do
    echo "$version $line"
done
