say() {
  echo "dind-start: $*" >&2
}
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
    sed "s|\"$socket/buildkit/|\"/etc/dind/docker/buildx/buildkit/|g" "$socket/buildkitd.toml" \
      >"$client/buildx/buildkitd.default.toml" || return
    [ ! -d "$socket/buildkit" ] || cp -R "$socket/buildkit" "$client/buildx" || return
  fi
  printf %s "$content" >"$client/config.new" && chmod -R a+rwX "$client" \
    && mv "$client/config.new" "$client/config.json"
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
pod_has_ipv6() {
  while read -r _ _ _ scope _ interface; do
    [ "$scope" = 00 ] && [ "$interface" != lo ] && return
  done </proc/net/if_inet6
  return 1
}
write_files() {
  number=0
  while eval "file=\${DIND_FILE_$number-}" && [ -n "$file" ]; do
    unset "DIND_FILE_$number"
    number=$((number + 1))
    write_file "$file" 2>/dev/null || say "cannot write $path${secret:+ with the username and password in $secret}"
  done
}
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
  read -r _ owner _ </proc/self/uid_map
  [ "$owner" = 0 ] || return 0
  score=/proc/$self/oom_score_adj
  [ "$(cat "$score")" -le -100 ] || echo -100 >"$score" || echo 0 >"$score"
}
prepare_cgroups() {
  cgroups=/sys/fs/cgroup
  own=$(sed -n 's/^0:://p' /proc/self/cgroup)
  own=${own%/init}
  if [ ! -e "$cgroups/cgroup.controllers" ] || image_keeps_inside_the_pod 2>/dev/null \
    || keep_inside_the_pod 2>/dev/null; then
    spare_the_daemon 2>/dev/null || say "cannot make dockerd the last one to be killed for memory"
  else
    [ -z "$bound" ] || umount -l "$cgroups" 2>/dev/null
    say "cannot $step; nested containers are not held by the pod's limits"
  fi
}
prepare() {
  unset content credentials file keys rest text
  newline='
'
  write_files
  write_clients "$1"
  read -r _ _ _ self _ </proc/self/stat
  mkdir -p /var/dind && ln -sfn "/proc/$self/fd/2" /var/dind/log
  [ "$DIND_CGROUP" = off ] || prepare_cgroups
}
(prepare "$1")
DIND_NUMBER=0
while eval "[ -n \"\${DIND_FILE_$DIND_NUMBER-}\${DIND_CLIENT_$DIND_NUMBER-}\" ]"; do
  unset "DIND_FILE_$DIND_NUMBER" "DIND_CLIENT_$DIND_NUMBER"
  DIND_NUMBER=$((DIND_NUMBER + 1))
done
case " $* " in
  *" --mtu="* | *" --mtu "*) ;;
  *)
    if DIND_MTU=$( pod_mtu ); then
      set -- "--mtu=$DIND_MTU" "--default-network-opt=bridge=com.docker.network.driver.mtu=$DIND_MTU" "$@"
    else
      say "cannot find the pod's MTU; nested networks keep dockerd's 1500"
    fi
    ;;
esac
case " $* $(cat /etc/docker/daemon.json 2>/dev/null)" in
  *--ip6tables* | *--config-file* | *'"ip6tables"'*) ;;
  *) (pod_has_ipv6 2>/dev/null) || set -- --ip6tables=false "$@" ;;
esac
if grep -q '^[^ ]* /tmp/' /proc/self/mounts && ! grep -q '^[^ ]* /tmp ' /proc/self/mounts; then
  mount --rbind /tmp /tmp || say "cannot make /tmp a mount; mounts below it may be hidden"
fi
if command -v dockerd-entrypoint.sh >/dev/null; then
  exec dockerd-entrypoint.sh dockerd "$@"
fi
exec dockerd "$@"
