#!/bin/sh
# Waits until the Docker daemon answers: dind-wait SECONDS unix:///PATH [LOG]
# It always ends, because the kubelet cannot delete a pod while its hook runs.
# The reason of a failure is also written to LOG, since the kubelet does not show the output of a hook.

seconds=$1
export DOCKER_HOST="$2"
# Not the one in a home directory, which may be a volume of the job: docker runs programs that it names.
export DOCKER_CONFIG=/var/dind/docker-config
log=${3:-/dev/null}
socket=${DOCKER_HOST#unix://}
status=

# The kernel ignores SIGTERM for process 1 of a container unless there is a trap.
trap 'exit 143' TERM

# The start script makes the log, and the hook may run before it. Without the log, this ends after 10 s.
fail() {
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ ! -e "$log" ] || break
    sleep 0.5
  done
  echo "dind-wait: $*" >>"$log"
  echo "dind-wait: $*" >&2
  exit 1
}

# A clock that does not jump when the system time is set.
uptime_seconds() {
  read -r uptime _ </proc/uptime
  echo "${uptime%.*}"
}

# SIGKILL always ends the command. A call during the start of dockerd waits in the queue of the socket and
# is answered as soon as dockerd is ready. The last call may begin just before the deadline and takes its 5 s
# too: on a busy node, an answer may take longer than a second.
docker_answers() {
  words=$(timeout -s KILL 5 docker version 2>&1 >/dev/null)
  status=$?
  [ "$status" = 0 ]
}

reason() {
  directory=${socket%/*}
  if [ -d "$directory" ] && [ ! -x "$directory" ]; then
    echo "permission denied on its directory"
  elif [ ! -e "$socket" ]; then
    echo "the socket does not exist"
  elif [ ! -S "$socket" ]; then
    echo "that path is not a socket"
  elif [ ! -w "$socket" ]; then
    echo "permission denied on the socket (user $(id -u), groups $(id -G))"
  elif [ "$status" = 137 ]; then
    echo "the daemon did not answer in time"
  else
    case $words in
      *refused* | *"daemon running"*) echo "the socket exists but nothing listens on it" ;;
      *) echo "docker version ended with $status: $(echo "$words" | tail -n 1)" ;;
    esac
  fi
}

case $seconds in
  '' | *[!0-9]*) fail "the deadline is '$seconds'; a whole number of seconds is needed" ;;
esac
for tool in docker timeout; do
  command -v "$tool" >/dev/null || fail "the command '$tool' is missing from this image"
done

now=$(uptime_seconds)
start=$now
# The clock counts whole seconds, and part of the first second has passed.
end=$((start + seconds + 1))
announced=
while ! { [ -S "$socket" ] && docker_answers; }; do
  now=$(uptime_seconds)
  [ "$now" -lt "$end" ] ||
    fail "no Docker daemon at $DOCKER_HOST after $seconds s: $(reason)"
  if [ -z "$announced" ] && [ "$now" -ge $((start + 2)) ]; then
    announced=yes
    echo "dind-wait: waiting up to $seconds s for the Docker daemon at $DOCKER_HOST" >&2
  fi
  sleep 0.05
done
