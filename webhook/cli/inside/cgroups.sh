#!/bin/sh
# Prints what the cgroup of this container, and each cgroup below it, has used of CPU time and memory.
# CPU time is printed twice, a second apart, each time after the seconds since the start of the machine:
#   uptime 12345.67
#   ./docker/ID/cpu.stat:usage_usec 4000000              cgroup v2: microseconds
#   ./docker/ID/cpuacct.usage:4000000000                 cgroup v1: nanoseconds
#   ./docker/ID/memory.current:1048576                   memory.usage_in_bytes on cgroup v1
#   ./docker/ID/memory.stat:inactive_file 4096
#   ./docker/buildkit/ID/cgroup.procs:/bin/sh -c make    of build steps: the command of the first process
# cgroupfs, which dockerd uses in a container, makes these paths. The shell may be busybox ash or dash.

missing=
for program in find grep head sed sleep tr; do
  command -v "$program" >/dev/null || missing="$missing $program"
done
if [ -n "$missing" ]; then
  echo "not in the image:$missing" >&2
  exit 127
fi

# $1 is a mounted hierarchy, and $2 what precedes the path of its cgroup in /proc/PID/cgroup. The mount may begin
# with the cgroup of the container, or with that of the node. On cgroup v2, dind-start.sh and the official image
# move the processes of the container to its child `init`.
find_group() {
  own=$(sed -n "s/^[0-9]*:$2://p" /proc/self/cgroup)
  own=${own%/init}
  case $own in
    */..*) own= ;; # outside the cgroup namespace
  esac
  if [ -d "$1$own" ]; then
    echo "$1$own"
  else
    echo "$1"
  fi
}

cpu_time() {
  read -r uptime _ </proc/uptime
  echo "uptime $uptime"
  cd "$cpu" && find . -maxdepth 8 "(" -name cpu.stat -o -name cpuacct.usage ")" \
    -exec grep -sHE '^(usage_usec )?[0-9]+$' {} +
}

memory() {
  cd "$memory" && find . -maxdepth 8 \
    "(" -name memory.current -o -name memory.usage_in_bytes -o -name memory.stat ")" \
    -exec grep -sHE '^((total_)?inactive_file )?[0-9]+$' {} +
}

commands() {
  cd "$cpu" && find . -maxdepth 8 -path "*/buildkit/*/cgroup.procs" | head -n 200 | while read -r file; do
    read -r process <"$file" || continue
    printf "%s:" "$file"
    tr "\000\n" "  " <"/proc/$process/cmdline" | head -c 400
    echo
  done
}

cgroups=/sys/fs/cgroup
if [ -e "$cgroups/cgroup.controllers" ]; then
  cpu=$(find_group "$cgroups" "")
  memory=$cpu
else
  cpu=$(find_group "$cgroups/cpuacct" '\([^:]*,\)\{0,1\}cpuacct\(,[^:]*\)\{0,1\}')
  memory=$(find_group "$cgroups/memory" memory)
fi

# A cgroup may end at any time.
exec 2>/dev/null
cpu_time
sleep 1
cpu_time
memory
commands
exit 0
