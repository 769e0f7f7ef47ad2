#!/bin/sh
# Keeps the contract of the official image's entrypoint: flags alone mean dockerd; before dockerd
# starts, the pid files of its predecessor go; docker-init is process 1.
set -eu

if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
  set -- dockerd --host=unix:///var/run/docker.sock "$@"
fi
if [ "$1" = dockerd ]; then
  find /run /var/run -iname 'docker*.pid' -exec rm -f {} + || :
  set -- docker-init -- "$@"
fi
exec "$@"
