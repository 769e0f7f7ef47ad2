#!/bin/sh
# Gives the sidecar an image store of the node. It stands before dind-start.sh, in the same shell, in the sidecars
# of profiles with `storage.persistent`. It never prevents dockerd from starting: if a step fails, it logs one line.
# POSIX only, as dind-start.sh.

say() {
  echo "dind-start: $*" >&2
}

# Image stores on the node: directories 0, 1 and so on in $DIND_STORE, which the jobs of one namespace and profile
# share. A daemon locks the file `lock` of its store on descriptor 9, which dockerd and its children inherit: the lock
# lasts as long as one of them. The file `pod` contains the UID of the pod that has the store, also while its sidecar
# restarts. `starting` exists until dockerd has answered. `version` is that of this layout and of Docker, `jobs` the
# number of pods that have used the store, and `leftover` contains the ids of their containers. The lock belongs to the
# script's own shell, so these functions assign only variables of the sidecar.

# Locks store $1 with the command in the other words. Fails if another process has it, or if the directory was
# renamed meanwhile.
lock_store() {
  DIND_STORE_PATH=$1
  shift
  if { command exec 9>>"$DIND_STORE_PATH/lock"; } 2>/dev/null; then
    "$@" 9 2>/dev/null && [ "$DIND_STORE_PATH/lock" -ef /proc/self/fd/9 ] && return
    exec 9>&-
  fi
  return 1
}

# The directory of a store has a plain number as its name.
is_store() {
  case ${1##*/} in
    *[!0-9]* | 0?*) return 1 ;;
  esac
  [ -d "$1" ] && [ ! -h "$1" ] && [ -e "$1/version" ]
}

# Renames the locked store, which is then never taken again. $1 is the reason.
set_store_aside() {
  say "image store $DIND_STORE_NODE_PATH/${DIND_STORE_PATH##*/} is not used again: $1"
  mv "$DIND_STORE_PATH" "$DIND_STORE_PATH.unusable" 2>/dev/null
  exec 9>&-
}

# The previous processes of the sidecar may need a moment to end. If dockerd did not start, the next store is a new one:
# the reason may be another one than the store, and would cost all stores of the node.
take_own_store() {
  for DIND_STORE_PATH in "$DIND_STORE"/*; do
    is_store "$DIND_STORE_PATH" || continue
    [ "$(cat "$DIND_STORE_PATH/pod" 2>/dev/null)" = "$DIND_POD_UID" ] || continue
    lock_store "$DIND_STORE_PATH" timeout 10 flock || continue
    if [ ! -e "$DIND_STORE_PATH/starting" ]; then
      DIND_STORE_STATE="its own, after a restart"
      return
    fi
    DIND_STORE_STATE="dockerd did not start with it"
    set_store_aside "$DIND_STORE_STATE"
  done
  [ -n "$DIND_STORE_STATE" ] && make_store
}

lock_free_store() {
  is_store "$1" && [ ! -e "$1/pod" ] && lock_store "$1" flock -n
}

take_free_store() {
  for DIND_STORE_PATH in "$DIND_STORE"/*; do
    lock_free_store "$DIND_STORE_PATH" || continue
    if [ -e "$DIND_STORE_PATH/pod" ]; then
      exec 9>&-
    elif ! DIND_STORE_STATE=$(check_store 2>/dev/null); then
      set_store_aside "$DIND_STORE_STATE"
    elif ! (clean_store 2>/dev/null); then
      set_store_aside "the files of earlier jobs cannot be removed"
    elif write_store; then
      return
    else
      exec 9>&-
      return 1
    fi
  done
  return 1
}

# Prints why the locked store cannot be used.
check_store() {
  version=$(cat "$DIND_STORE_PATH/version")
  if [ "$version" != "$DIND_STORE_VERSION" ]; then
    echo "its version is '$version', and that of the image is '$DIND_STORE_VERSION'"
    return 1
  fi
  if [ ! -e "$DIND_STORE_PATH/data/containerd/daemon" ] && [ -n "$(ls -A "$DIND_STORE_PATH/data")" ]; then
    echo "it is not an image store of containerd"
    return 1
  fi
  set -- "$DIND_STORE_PATH"/data/containers/*
  if [ -d "$1" ] || [ -s "$DIND_STORE_PATH/leftover" ]; then
    command -v ctr >/dev/null && return
    echo "it has containers of earlier jobs, and the image has no command 'ctr' to remove them"
    return 1
  fi
}

# Removes what earlier jobs left in the locked store, except images and the build cache. The pod does not have the
# store yet: if this is interrupted, the next pod cleans it again.
clean_store() {
  cd "$DIND_STORE_PATH/data" || return
  for entry in containers/*; do
    [ ! -d "$entry" ] || echo "${entry##*/}" >>../leftover || return
  done
  # The history has the logs of builds, and the executor the variables of build steps that were killed.
  rm -rf buildkit/history*.db buildkit/executor containerd/daemon/io.containerd.runtime.v2.task \
    containerd/daemon/tmpmounts || return
  for entry in * .[!.]* ..?*; do
    case $entry in
      buildkit | containerd | engine-id) ;;
      *) rm -rf "./$entry" || return ;;
    esac
  done
}

# The smallest free number. Without locks, such as on some network file systems, nothing stays.
make_store() {
  DIND_NUMBER=0
  until mkdir "$DIND_STORE/$DIND_NUMBER" 2>/dev/null; do
    [ -e "$DIND_STORE/$DIND_NUMBER" ] || [ -h "$DIND_STORE/$DIND_NUMBER" ] || return
    DIND_NUMBER=$((DIND_NUMBER + 1))
  done
  DIND_STORE_PATH=$DIND_STORE/$DIND_NUMBER
  lock_store "$DIND_STORE_PATH" flock -n && mkdir "$DIND_STORE_PATH/data" 2>/dev/null && write_store && return
  rm -rf "$DIND_STORE_PATH" 2>/dev/null
  return 1
}

# Counts this pod. Without `version`, no other pod takes a new store.
write_store() {
  DIND_NUMBER=$(cat "$DIND_STORE_PATH/jobs" 2>/dev/null)
  case $DIND_NUMBER in
    '' | *[!0-9]* | 0?* | ????????*) DIND_NUMBER=0 ;;
  esac
  case $DIND_NUMBER in
    0) DIND_STORE_STATE=fresh ;;
    1) DIND_STORE_STATE="warm (1 job before)" ;;
    *) DIND_STORE_STATE="warm ($DIND_NUMBER jobs before)" ;;
  esac
  {
    echo "$DIND_POD_UID" >"$DIND_STORE_PATH/pod" && echo "$((DIND_NUMBER + 1))" >"$DIND_STORE_PATH/jobs" \
      && echo "$DIND_STORE_VERSION" >"$DIND_STORE_PATH/version"
  } 2>/dev/null && return
  rm -f "$DIND_STORE_PATH/pod"
  return 1
}

# The store's file system may be full, or the container may not mount.
mount_store() {
  mkdir -p /var/lib/docker && touch "$DIND_STORE_PATH/starting" "$DIND_STORE_PATH/lock" \
    && mount --bind "$DIND_STORE_PATH/data" /var/lib/docker && return
  rm -f "$DIND_STORE_PATH/pod" "$DIND_STORE_PATH/starting"
  return 1
}

# Without a store on the node, dockerd uses the volume of its image.
use_store() {
  DIND_STORE_STATE=
  if ! command -v flock >/dev/null; then
    DIND_STORE_STATE="the image has no command 'flock'"
  elif ! DIND_STORE_VERSION=$(docker_version 2>/dev/null); then
    DIND_STORE_STATE="dockerd does not tell its version"
  elif ! { take_own_store || take_free_store || make_store; }; then
    DIND_STORE_STATE="no store can be written; the file system may be full or read-only"
  elif ! mount_store 2>/dev/null; then
    DIND_STORE_STATE="$DIND_STORE_PATH cannot be mounted"
  else
    say "image store $DIND_STORE_NODE_PATH/${DIND_STORE_PATH##*/}: $DIND_STORE_STATE"
    (finish_start "$1") 9>&- &
    return
  fi
  exec 9>&-
  say "no image store in $DIND_STORE_NODE_PATH: $DIND_STORE_STATE; this pod starts with an empty one of its own"
}

# The version of the layout, and the major version of Docker. Builds of other projects may write a `v` before it.
docker_version() {
  version=$(dockerd --version) && version=${version#*version } && version=${version#v} && version=${version%%.*}
  case $version in
    '' | *[!0-9]*) return 1 ;;
  esac
  echo "1 $version"
}

# Waits until dockerd answers. If it ends before, the lock is free.
finish_start() {
  socket=${1#--host=unix://}
  until [ -S "$socket" ] && DOCKER_CONFIG=/var/dind/docker-config timeout -s KILL 5 docker "$1" version; do
    flock -n "$DIND_STORE_PATH/lock" true && return
    sleep 0.2
  done >/dev/null 2>&1
  rm -f "$DIND_STORE_PATH/starting"
  [ ! -s "$DIND_STORE_PATH/leftover" ] || remove_leftover >/dev/null 2>&1 \
    || say "cannot remove the containers of earlier jobs from the image store"
}

# A lease keeps the writable layer of a container, and so may what containerd knows of it. Many containers have
# only one of the two.
remove_leftover() {
  while read -r id; do
    case $id in
      '' | *[!0-9a-f]*) continue ;;
    esac
    moby containers delete "$id"
    moby leases delete --sync "$id"
  done <"$DIND_STORE_PATH/leftover"
  leases=$(moby leases list --quiet) || return
  ! echo "$leases" | grep -qxF -f "$DIND_STORE_PATH/leftover" && rm -f "$DIND_STORE_PATH/leftover"
}

moby() {
  timeout -s KILL 60 ctr --address /var/dind/exec/containerd/containerd.sock --namespace moby "$@" </dev/null
}

# The first flag is the address of the socket.
use_store "$1"
unset DIND_STORE DIND_STORE_NODE_PATH DIND_STORE_PATH DIND_STORE_STATE DIND_STORE_VERSION DIND_POD_UID
