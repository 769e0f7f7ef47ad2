#!/bin/sh
# Runs what the tests send, one script a line in base64. It answers each with its exit status and, in
# base64, its output and its errors.
channel=$(echo /dev/vport*p1)
exec 3<>"$channel"
while read -r line <&3; do
  echo "$line" | base64 -d >/run/script
  sh /run/script </dev/null >/run/output 2>/run/errors 3<&-
  echo "$? $(base64 /run/output | tr -d '\n') $(base64 /run/errors | tr -d '\n')" >&3
done
