#!/bin/sh
# Follows dind-wait.sh in the hook of profiles with `daemon.metrics`: writes how long the daemon took to answer
# into a file beside the socket, for the exporter. It never makes the hook fail.
# The time is that since the start of the container's process, which the link at $log names (dind-start.sh).
# The kernel counts it in hundredths of a second since the boot, in field 22; field 2, a name in parentheses, may
# contain spaces (proc_pid_stat(5)).

# shellcheck disable=SC2154 # dind-wait.sh assigns log and socket
write_seconds() {
  process=$(readlink "$log") || return
  stat=$(cat "${process%/fd/*}/stat") || return
  # shellcheck disable=SC2086 # one word for each field
  set -- ${stat##*) }
  shift 19
  read -r uptime _ </proc/uptime
  # The 1 keeps 08 from being read as an octal number.
  hundredths=$((${uptime%.*} * 100 + 1${uptime#*.} - 100 - $1))
  fraction=0$((hundredths % 100))
  echo "$((hundredths / 100)).${fraction#"${fraction%??}"}" >"$directory/ready.new" \
    && mv "$directory/ready.new" "$directory/dind-ready-seconds"
}

directory=${socket%/*}
(write_seconds) 2>/dev/null || echo "dind-wait: cannot write how long the daemon took to answer" >&2
