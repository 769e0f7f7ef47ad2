#!/bin/sh
# Prepares the container of the sidecar, then executes dockerd with the flags in "$@".
# It never prevents dockerd from starting: if a step fails, it logs one line and continues.
# POSIX only: the shell is busybox ash in docker:29-dind, and dash in other images. Lines that contain
# only a comment are not copied into the pod.

say() {
  echo "dind-start: $*" >&2
}

# Writes one file. The first line of $1 is its path. A directory with the files `username` and `password`
# may follow the path; their values, as HTTP encodes them, replace @AUTH@ in the content. The credentials
# are never words of a command: every process of the pod may read those.
write_file() {
  path=${1%%"$newline"*}
  content=${1#*"$newline"}
  secret=
  case $path in
    *" "*) secret=${path#* } path=${path%% *} ;;
  esac
  mkdir -p "${path%/*}" || return
  if [ -n "$secret" ]; then
    credentials=$(cat "$secret/username") && credentials=$credentials:$(cat "$secret/password") \
      && credentials=$(printf %s "$credentials" | base64 | tr -d '\n') || return
    rest=$content
    content=
    while [ "$rest" != "${rest#*@AUTH@}" ]; do
      content=$content${rest%%@AUTH@*}$credentials
      rest=${rest#*@AUTH@}
    done
    content=$content$rest
    (umask 077 && : >"$path") || return
  fi
  printf %s "$content" >"$path"
}

# Writes the configuration of the Docker client of one container, in its directory of the volume that only the
# sidecar mounts as a whole. The first line of $1 is the name of the container and files with JSON objects,
# whose keys are added to those of the object in the other lines: in JSON, the last key of a name wins.
# A string of JSON contains no line break and no tab, so all of them are white space. The values are never
# words of a command: every process of the pod may read those.
# After a restart of the sidecar, the directory stays as the container has left it. That is why config.json is
# the last file, and complete when it appears. Every user of the container may change the files.
write_client() {
  content=${1#*"$newline"}
  words=${1%%"$newline"*}
  name=${words%% *}
  client=/var/dind/clients/$name
  [ ! -e "$client/config.json" ] || return 0
  mkdir -p "$client/buildx" || return
  for file in ${words#"$name"}; do
    keys=$(tr -d '\t\r\n' <"$file") || return
    case $keys in
      *"{"*[!\ {}]*) content=${content%"}"},${keys#*"{"} ;;
    esac
  done
  if [ -e "$socket/buildkitd.toml" ]; then
    # The container may see the socket elsewhere, but its own directory always at this path.
    sed "s|\"$socket/buildkit/|\"/etc/dind/docker/buildx/buildkit/|g" "$socket/buildkitd.toml" \
      >"$client/buildx/buildkitd.default.toml" || return
    [ ! -d "$socket/buildkit" ] || cp -R "$socket/buildkit" "$client/buildx" || return
  fi
  printf %s "$content" >"$client/config.new" && chmod -R a+rwX "$client" \
    && mv "$client/config.new" "$client/config.json"
}

# The kernel lists the preferred default route first. The IPv6 table also contains a default route of
# `lo`, which means "unreachable".
default_interface() {
  while read -r interface destination _ _ _ _ _ mask _; do
    [ "$destination/$mask" = 00000000/00000000 ] && echo "$interface" && return
  done </proc/net/route
  while read -r destination prefix _ _ _ _ _ _ _ interface; do
    [ "$destination/$prefix" = 00000000000000000000000000000000/00 ] || continue
    [ "$interface" != lo ] && echo "$interface" && return
  done </proc/net/ipv6_route
  echo eth0
}

pod_mtu() {
  case ${DIND_MTU:-auto} in
    auto) ;;
    *[!0-9]*) say "DIND_MTU is '$DIND_MTU', neither 'auto' nor a number; detecting the MTU" ;;
    *) echo "$DIND_MTU" && return ;;
  esac
  cat "/sys/class/net/$(default_interface 2>/dev/null)/mtu" 2>/dev/null
}

# Link-local addresses (scope 20) do not count.
pod_has_ipv6() {
  while read -r _ _ _ scope _ interface; do
    [ "$scope" = 00 ] && [ "$interface" != lo ] && return
  done </proc/net/if_inet6
  return 1
}

# Files are in numbered variables.
write_files() {
  number=0
  while eval "file=\${DIND_FILE_$number-}" && [ -n "$file" ]; do
    unset "DIND_FILE_$number"
    number=$((number + 1))
    write_file "$file" 2>/dev/null || say "cannot write $path${secret:+ with the username and password in $secret}"
  done
}

# $1 is the address of the socket.
write_clients() {
  socket=${1#--host=unix://}
  socket=${socket%/docker.sock}
  number=0
  while eval "text=\${DIND_CLIENT_$number-}" && [ -n "$text" ]; do
    unset "DIND_CLIENT_$number"
    number=$((number + 1))
    write_client "$text" 2>/dev/null || say "cannot write the configuration of the Docker client in $name"
  done
}

# Succeeds if the script's process is in cgroup $1, or in its child `init`, where a previous run moved it.
lies_in() {
  grep -qsx "$self" "$1/cgroup.procs" "$1/init/cgroup.procs"
}

# A cgroup can either contain processes or enable controllers for its children. The exec of a hook can
# add a process at any time, so this is tried several times. All controllers are enabled in one write: if
# a threaded controller (cpu, pids) is enabled while the cgroup contains a process, the process cannot be
# moved to the child. The wrapper script of the official image uses a child of the same name and then has
# nothing to do.
hand_down_controllers() {
  mkdir -p "$cgroups/init" || return
  controllers=$(sed 's/[^ ][^ ]*/+&/g' "$cgroups/cgroup.controllers")
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    members=$(cat "$cgroups/cgroup.procs")
    for pid in $members; do
      echo "$pid" >"$cgroups/init/cgroup.procs"
    done
    echo "$controllers" >"$cgroups/cgroup.subtree_control" && return
    sleep 0.1
  done
  return 1
}

# A privileged container has no cgroup namespace and sees the cgroup tree of the node. dockerd would place
# its containers in /docker of that tree, outside the limits of the pod. The official image, 29.9 and later,
# makes a namespace itself, where `unshare` can. On top of the mounts below it could not, and would warn
# that nothing holds the containers.
image_keeps_inside_the_pod() {
  entrypoint=$(command -v dockerd-entrypoint.sh) && grep -q 'unshare --cgroup' "$entrypoint" \
    && unshare --cgroup --mount true
}

# For all other images. This function bind-mounts the
# container's cgroup over the root of the tree. It also mounts it at its original path below itself,
# because /proc/PID/cgroup contains that path. If the cgroup already is the root (after a restart, or with
# a cgroup namespace), nothing is mounted. Only the root cgroup of the node has no file cgroup.type.
keep_inside_the_pod() {
  bound=
  step="find the container's group"
  [ -e "$cgroups$own/cgroup.type" ] && lies_in "$cgroups$own" || return
  if ! lies_in "$cgroups"; then
    step="bind $own over $cgroups"
    mount --bind "$cgroups$own" "$cgroups" || return
    bound=yes
    mkdir -p "$cgroups$own" && mount --bind "$cgroups" "$cgroups$own" || return
  fi
  step="hand down the controllers of $own"
  hand_down_controllers
}

# Nested containers count towards the memory limit of the sidecar. With the kubelet's settings, the kernel
# would kill the whole sidecar at the limit, or dockerd first: its oom_score_adj is near 1000, and that of
# nested containers is 0. -100 corresponds to a tenth of the limit, about the size of dockerd. Build steps
# inherit the value; with a much lower one, the kernel would kill another container instead of the build
# step that uses too much memory. Root may lack the capability for values below 0.
spare_the_daemon() {
  group=$cgroups$own/memory.oom.group
  [ ! -e "$group" ] || echo 0 >"$group" || return
  # In a user namespace, the score cannot be lowered, and nested containers have the same one.
  read -r _ owner _ </proc/self/uid_map
  [ "$owner" = 0 ] || return 0
  score=/proc/$self/oom_score_adj
  [ "$(cat "$score")" -le -100 ] || echo -100 >"$score" || echo 0 >"$score"
}

# On cgroup v1, the containers of dockerd are in the pod's cgroup without further steps.
prepare_cgroups() {
  cgroups=/sys/fs/cgroup
  # Without the child to which a previous run moved this process.
  own=$(sed -n 's/^0:://p' /proc/self/cgroup)
  own=${own%/init}
  if [ ! -e "$cgroups/cgroup.controllers" ] || image_keeps_inside_the_pod 2>/dev/null \
    || keep_inside_the_pod 2>/dev/null; then
    spare_the_daemon 2>/dev/null || say "cannot make dockerd the last one to be killed for memory"
  else
    # Lazy, because another process may use the mount.
    [ -z "$bound" ] || umount -l "$cgroups" 2>/dev/null
    say "cannot $step; nested containers are not held by the pod's limits"
  fi
}

# Does what needs variables, in a subshell: the image, or `daemon.env` of the profile, may have exported variables
# of the same names, and dockerd gets theirs unchanged. Here, a value that is assigned to such a variable would be
# in the environment of every command. Contents of files are not: they may be secret, and with a long one, no
# command starts (execve(2)).
prepare() {
  unset content credentials file keys rest text
  # POSIX has no escape for it.
  newline='
'
  write_files
  # The clients come after the files, which they use.
  write_clients "$1"
  # The script's process, the parent of this subshell, becomes dockerd. Not the shell's variable for the PID:
  # Kubernetes replaces two dollar signs in a command with one.
  read -r _ _ _ self _ </proc/self/stat
  # For the hook: process 1 is another one if the containers of the pod share their processes.
  mkdir -p /var/dind && ln -sfn "/proc/$self/fd/2" /var/dind/log
  [ "$DIND_CGROUP" = off ] || prepare_cgroups
}

# The first flag is the address of the socket.
(prepare "$1")

# From here on, only variables of the sidecar are assigned. dockerd does not inherit the files.
DIND_NUMBER=0
while eval "[ -n \"\${DIND_FILE_$DIND_NUMBER-}\${DIND_CLIENT_$DIND_NUMBER-}\" ]"; do
  unset "DIND_FILE_$DIND_NUMBER" "DIND_CLIENT_$DIND_NUMBER"
  DIND_NUMBER=$((DIND_NUMBER + 1))
done

case " $* " in
  *" --mtu="* | *" --mtu "*) ;;
  *)
    # dockerd gives bridges an MTU of 1500. --mtu applies to docker0, the other flag to user networks.
    # Without the spaces, Kubernetes would replace the command by the value of a variable of this name.
    if DIND_MTU=$( pod_mtu ); then
      set -- "--mtu=$DIND_MTU" "--default-network-opt=bridge=com.docker.network.driver.mtu=$DIND_MTU" "$@"
    else
      say "cannot find the pod's MTU; nested networks keep dockerd's 1500"
    fi
    ;;
esac

# Without IPv6 in the pod, dockerd starts sooner without its rules for it. A setting of the user's wins;
# dockerd does not start if a flag is also in its configuration file.
case " $* $(cat /etc/docker/daemon.json 2>/dev/null)" in
  *--ip6tables* | *--config-file* | *'"ip6tables"'*) ;;
  *) (pod_has_ipv6 2>/dev/null) || set -- --ip6tables=false "$@" ;;
esac

# The wrapper script of the official image mounts a tmpfs on /tmp, which would hide mounts below it, unless
# /tmp is a mount itself.
if grep -q '^[^ ]* /tmp/' /proc/self/mounts && ! grep -q '^[^ ]* /tmp ' /proc/self/mounts; then
  mount --rbind /tmp /tmp || say "cannot make /tmp a mount; mounts below it may be hidden"
fi

if command -v dockerd-entrypoint.sh >/dev/null; then
  exec dockerd-entrypoint.sh dockerd "$@"
fi
exec dockerd "$@"
