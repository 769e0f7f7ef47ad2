#!/bin/sh
# Becomes the sidecar's dockerd: "$@" holds dockerd's flags.
# It never keeps dockerd from starting: what it cannot do, it says in one line, and goes on.
# Plain POSIX: busybox ash in docker:29-dind, dash elsewhere. Lines that hold only a comment are
# left out of the pod.

say() {
  echo "dind-start: $*" >&2
}

# The kernel lists the preferred default route first. In IPv6's table `lo` carries one more
# default, which means "unreachable".
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

cgroups=/sys/fs/cgroup
# Not the shell's own variable: in a pod's command, Kubernetes makes one dollar of two.
read -r self _ </proc/self/stat

# Whether this process lies in group $1, or in the leaf that an earlier run moved it to.
lies_in() {
  grep -qsx "$self" "$1/cgroup.procs" "$1/init/cgroup.procs"
}

# A group holds processes or hands down controllers, never both. A hook's exec may put a process
# in at any moment, hence the rounds; all controllers in one write, because a threaded one (cpu,
# pids) that is handed down while a process is in makes the group reject that process.
# The upstream wrapper uses a leaf of the same name, and finds everything done.
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

# A privileged container sees the node's tree (the kubelet gives it no cgroup namespace), and
# dockerd would put its containers at the node's /docker, outside the pod's limits. So the
# container's own group becomes the top of the tree, and is found once more at its long path
# below itself, because that is what /proc/PID/cgroup names. Where the group is the top already
# (a second run, a cgroup namespace) there is nothing to bind. Only a node's root has no
# cgroup.type.
keep_inside_the_pod() {
  bound=
  step="find the container's group"
  own=$(sed -n 's/^0:://p' /proc/self/cgroup)
  own=${own%/init}
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

# Nested containers count against the pod's limit, and the kubelet's settings would let it kill the
# whole sidecar, dockerd first: near 1000, where its containers have 0. -100 is worth a tenth of the
# limit, about dockerd's own size; build steps inherit it, so much less would let an innocent
# container die for a hungry build step. Root may lack the capability to go below 0.
spare_the_daemon() {
  [ ! -e "$cgroups/memory.oom.group" ] || echo 0 >"$cgroups/memory.oom.group" || return
  score=/proc/$self/oom_score_adj
  [ "$(cat "$score")" -le -100 ] || echo -100 >"$score" || echo 0 >"$score"
}

case " $* " in
  *" --mtu="* | *" --mtu "*) ;;
  *)
    # dockerd gives every bridge 1500: --mtu mends docker0, the other flag users' own networks.
    if mtu=$(pod_mtu); then
      set -- "--mtu=$mtu" "--default-network-opt=bridge=com.docker.network.driver.mtu=$mtu" "$@"
    else
      say "cannot find the pod's MTU; nested networks keep dockerd's 1500"
    fi
    ;;
esac

# On cgroup v1 dockerd's containers lie inside the pod's group by themselves.
if [ "$DIND_CGROUP" != off ]; then
  if [ ! -e "$cgroups/cgroup.controllers" ] || keep_inside_the_pod 2>/dev/null; then
    spare_the_daemon 2>/dev/null || say "cannot make dockerd the last one to be killed for memory"
  else
    # Lazily: a process may have it open.
    [ -z "$bound" ] || umount -l "$cgroups" 2>/dev/null
    say "cannot $step; nested containers are not held by the pod's limits"
  fi
fi

if command -v dockerd-entrypoint.sh >/dev/null; then
  exec dockerd-entrypoint.sh dockerd "$@"
fi
exec dockerd "$@"
