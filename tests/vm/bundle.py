"""The specification of a pod's container, as containerd passes it to runc."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.config import quantity

# The kubelet's score for a request of 64Mi on a node with 2 GiB.
_OOM_SCORE_ADJ = 968

_CAPABILITIES = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
]


@dataclass(frozen=True)
class Sandbox:
    """What the containers of a pod share.

    Attributes:
        uid: the pod's uid.
        directory: the pod's directory on the node, with one directory per volume below `volumes`.
        process: its first process, whose network, host name and IPC namespaces the others join.
    """

    uid: str
    directory: str
    process: int

    @property
    def group(self) -> str:
        """The pod's cgroup."""
        return f"/kubepods/burstable/pod{self.uid}"


def specification(container: Mapping[str, Any], sandbox: Sandbox, group: str) -> dict[str, Any]:
    """The config.json of a container; its root is the bundle's directory `rootfs`.

    Args:
        container: from the pod's manifest.
        sandbox: the pod.
        group: the container's cgroup: a new one for every start.
    """
    privileged = bool(container.get("securityContext", {}).get("privileged"))
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    environment |= {entry["name"]: entry["value"] for entry in container.get("env", ())}
    limit = container.get("resources", {}).get("limits", {}).get("memory")
    capabilities = _CAPABILITIES if privileged else []
    return {
        "ociVersion": "1.0.2",
        "process": {
            "args": [
                _expanded(word) for word in (*container["command"], *container.get("args", ()))
            ],
            "cwd": "/",
            "env": [f"{key}={value}" for key, value in environment.items()],
            "user": {"uid": 0, "gid": 0},
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "oomScoreAdj": _OOM_SCORE_ADJ,
        },
        "root": {"path": "rootfs"},
        "mounts": [*_mounts(privileged=privileged), *_volumes(container, sandbox)],
        "linux": {
            "cgroupsPath": group,
            # No cgroup namespace: the kubelet requests none for a privileged container.
            "namespaces": [
                {"type": "pid"},
                {"type": "mount"},
                {"type": "network", "path": f"/proc/{sandbox.process}/ns/net"},
                {"type": "ipc", "path": f"/proc/{sandbox.process}/ns/ipc"},
                {"type": "uts", "path": f"/proc/{sandbox.process}/ns/uts"},
            ],
            "resources": {
                "devices": [{"allow": privileged, "access": "rwm"}],
                "memory": {} if limit is None else {"limit": int(quantity.parse(limit))},
                # The kubelet's default since 1.28: the OOM killer kills the whole container.
                "unified": {"memory.oom.group": "1"},
            },
        },
    }


def _expanded(word: str) -> str:
    """A word of a command after the kubelet's expansion, in a container without variables.

    `$$` becomes `$`, except within `$(...)`.
    """
    return re.sub(r"\$(\$|\([^)]*\))", lambda found: "$" if found[1] == "$" else found[0], word)


def _mounts(*, privileged: bool) -> list[dict[str, Any]]:
    access = "rw" if privileged else "ro"
    quiet = ["nosuid", "noexec", "nodev"]
    return [
        _mount("/proc", "proc", *quiet),
        _mount("/dev", "tmpfs", "nosuid", "mode=755"),
        _mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666"),
        _mount("/dev/mqueue", "mqueue", *quiet),
        _mount("/dev/shm", "tmpfs", *quiet, "mode=1777", "size=65536k"),
        _mount("/sys", "sysfs", *quiet, access),
        _mount("/sys/fs/cgroup", "cgroup", *quiet, "relatime", access),
    ]


def _mount(place: str, kind: str, *options: str) -> dict[str, Any]:
    return {"destination": place, "type": kind, "source": kind, "options": list(options)}


def _volumes(container: Mapping[str, Any], sandbox: Sandbox) -> list[dict[str, Any]]:
    return [
        {
            "destination": mount["mountPath"],
            "type": "bind",
            "source": f"{sandbox.directory}/volumes/{mount['name']}",
            "options": ["rbind", "rprivate", "rw"],
        }
        for mount in container["volumeMounts"]
    ]
