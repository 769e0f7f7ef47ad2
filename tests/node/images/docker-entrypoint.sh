#!/bin/sh
# Keeps the contract of the official image's entrypoint: a docker command may stand alone.
set -eu

if [ "${1#-}" != "$1" ] || docker help "$1" >/dev/null 2>&1; then
  set -- docker "$@"
fi
exec "$@"
