#!/bin/sh
# Keeps the contract of the official image's entrypoint before 29.9, which makes no cgroup namespace:
# on cgroup v2, Docker's wrapper script moves the processes of the top group into the leaf /init.
set -eu

exec dind docker-init -- "$@"
