#!/bin/sh
# Prints what this node lacks for a Docker daemon in a user namespace, and fails if there is anything.
# It must run in a container like the sidecar's. `docker version` is no test: it answers on every node.

lacks() {
  echo "this node cannot run a Docker daemon in a user namespace: $*"
  exit 1
}

cgroups=/sys/fs/cgroup
read -r _ owner _ </proc/self/uid_map
[ "$owner" != 0 ] ||
  lacks "the pod has none, although hostUsers is false (Kubernetes 1.33, containerd 2.0 and Linux 6.3 are needed)"
[ -e "$cgroups/cgroup.controllers" ] || lacks "it does not use cgroup v2"
grep -q " $cgroups cgroup2 rw" /proc/self/mounts ||
  lacks "$cgroups is read-only (the handler of the RuntimeClass needs cgroup_writable = true)"
mkdir "$cgroups/dind-check-node" 2>/dev/null ||
  lacks "$cgroups belongs to another user (the handler of the RuntimeClass needs SystemdCgroup = true)"
rmdir "$cgroups/dind-check-node"
! grep -q '^[^ ]* /proc/sys ' /proc/self/mounts ||
  lacks "/proc/sys is read-only (the container runtime ignores procMount: Unmasked)"
bits=$(sed -n 's/^CapEff:[[:space:]]*/0x/p' /proc/self/status)
# linux/capability.h
for capability in NET_ADMIN=12 SYS_PTRACE=19 SYS_ADMIN=21 MKNOD=27 AUDIT_WRITE=29; do
  [ "$((bits >> ${capability#*=} & 1))" = 1 ] || lacks "the container has no capability ${capability%=*}"
done
# runc needs pivot_root, which the profiles of the container runtimes deny. The kernel looks for the
# directories only if the call is allowed.
case $(pivot_root /dind-check-node /dind-check-node 2>&1) in
  *"not permitted"* | *"not implemented"*)
    lacks "a seccomp profile denies pivot_root (the container needs seccompProfile Unconfined or dind-seccomp.json)"
    ;;
esac
