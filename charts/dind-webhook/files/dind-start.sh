say() {
  echo "dind-start: $*" >&2
}
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
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
own=${own%/init}
read -r self _ </proc/self/stat
mkdir -p /var/dind && ln -sfn "/proc/$self/fd/2" /var/dind/log
lies_in() {
  grep -qsx "$self" "$1/cgroup.procs" "$1/init/cgroup.procs"
}
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
image_keeps_inside_the_pod() {
  entrypoint=$(command -v dockerd-entrypoint.sh) && grep -q 'unshare --cgroup' "$entrypoint" \
    && unshare --cgroup --mount true
}
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
spare_the_daemon() {
  group=$cgroups$own/memory.oom.group
  [ ! -e "$group" ] || echo 0 >"$group" || return
  score=/proc/$self/oom_score_adj
  [ "$(cat "$score")" -le -100 ] || echo -100 >"$score" || echo 0 >"$score"
}
case " $* " in
  *" --mtu="* | *" --mtu "*) ;;
  *)
    if mtu=$(pod_mtu); then
      set -- "--mtu=$mtu" "--default-network-opt=bridge=com.docker.network.driver.mtu=$mtu" "$@"
    else
      say "cannot find the pod's MTU; nested networks keep dockerd's 1500"
    fi
    ;;
esac
if grep -q '^[^ ]* /tmp/' /proc/self/mounts && ! grep -q '^[^ ]* /tmp ' /proc/self/mounts; then
  mount --rbind /tmp /tmp || say "cannot make /tmp a mount; mounts below it may be hidden"
fi
if [ "$DIND_CGROUP" != off ]; then
  if [ ! -e "$cgroups/cgroup.controllers" ] || image_keeps_inside_the_pod 2>/dev/null \
    || keep_inside_the_pod 2>/dev/null; then
    spare_the_daemon 2>/dev/null || say "cannot make dockerd the last one to be killed for memory"
  else
    [ -z "$bound" ] || umount -l "$cgroups" 2>/dev/null
    say "cannot $step; nested containers are not held by the pod's limits"
  fi
fi
if command -v dockerd-entrypoint.sh >/dev/null; then
  exec dockerd-entrypoint.sh dockerd "$@"
fi
exec dockerd "$@"
