#!/bin/sh
# Runs before the kubelet stops the sidecar: the next job may have the image store as soon as dockerd has ended.
# If dockerd has never answered, the pod keeps the store: after a restart of the sidecar, dind-store.sh sees that
# dockerd did not start with it.

for pod in "$DIND_STORE"/*/pod; do
  store=${pod%/pod}
  [ "$(cat "$pod" 2>/dev/null)" = "$DIND_POD_UID" ] && [ ! -e "$store/starting" ] || continue
  touch "$store/lock"
  rm -f "$pod"
done
