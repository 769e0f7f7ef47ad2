#!/bin/sh
# Keeps the contract of the official image's entrypoint and, on cgroup v2, of its wrapper: the
# processes of the top group move into the leaf /init, then all controllers are handed down.
set -eu

cgroups=/sys/fs/cgroup
mkdir -p "$cgroups/init"
members=$(cat "$cgroups/cgroup.procs")
for pid in $members; do
  echo "$pid" >"$cgroups/init/cgroup.procs" || : # a thread of the kernel stays
done 2>/dev/null
sed 's/[^ ][^ ]*/+&/g' "$cgroups/cgroup.controllers" >"$cgroups/cgroup.subtree_control"
exec docker-init -- "$@"
