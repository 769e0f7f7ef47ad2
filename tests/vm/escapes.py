"""What root on a node can do, and root in a user namespace cannot."""

import shlex

from node.doing import in_container
from vm.pods import Pod

# Shell commands by what they do, in an image with busybox. Each fails if it is not allowed, and
# changes nothing that a later test sees.
ESCAPES = {
    "make a device node": "mknod /tmp-disk b 259 0 && rm /tmp-disk",
    "mount the node's devices": "mount -t devtmpfs none /etc && umount /etc",
    "mount sysfs": "mount -t sysfs none /etc && umount /etc",
    "mount debugfs": "mount -t debugfs none /etc && umount /etc",
    "mount bpf": "mount -t bpf none /etc && umount /etc",
    "write to sysrq-trigger": "echo h >/proc/sysrq-trigger",
    "name the program for core dumps": "cd /proc/sys/kernel && cat core_pattern >core_pattern",
    "name the program that loads modules": "cd /proc/sys/kernel && cat modprobe >modprobe",
    "read the kernel's log": "dd if=/dev/kmsg of=/dev/null bs=8192 count=1",
    # date of busybox ends with 0 after its error
    "set the clock": "! date -s @$(date +%s) 2>&1 | grep 'set date'",
}


_ALL = "\n".join(
    f"( {command} ) >/dev/null 2>&1 && echo {shlex.quote(name)}"
    for name, command in ESCAPES.items()
)
SCRIPT = f"{_ALL}\ntrue"  # prints the names of those that succeed


def in_sidecar(pod: Pod) -> list[str]:
    """What the root of the sidecar can do."""
    return in_container(pod.cluster, pod.namespace, pod.name, "dind", SCRIPT).splitlines()
