#!/bin/sh
# Keeps the contract of the official image's entrypoint, 29.9 and later: flags alone mean dockerd;
# before dockerd starts, the pid files of its predecessor go; docker-init is process 1; Docker's
# wrapper script `dind` prepares mounts and groups; on cgroup v2, all of it is in a new namespace.
set -eu

if [ $# -eq 0 ] || [ "${1#-}" != "$1" ]; then
  set -- dockerd --host=unix:///var/run/docker.sock "$@"
fi
if [ "$1" = dockerd ]; then
  find /run /var/run -iname 'docker*.pid' -exec rm -f {} + || :
  set -- dind docker-init -- "$@"
  if [ -f /sys/fs/cgroup/cgroup.controllers ] && ! grep -qx 0::/ /proc/self/cgroup; then
    # shellcheck disable=SC2016 # the new shell expands "$@"
    in_namespace='umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'
    if unshare --cgroup --mount sh -c "$in_namespace" sh true 2>/dev/null; then
      set -- unshare --cgroup --mount sh -c "$in_namespace" sh "$@"
    else
      echo "dockerd-entrypoint: no cgroup namespace; containers are outside of this group" >&2
    fi
  fi
fi
exec "$@"
