"""Paths in containers, compared as the kernel would see them."""

import posixpath
from collections.abc import Iterable

#: The daemon's programs run files of these directories, or read their configuration from there. A
#: mount at, below or above one of them would hide those files, or put a job's files in their place.
PROTECTED = (
    # dockerd's socket and plugins, the files of containerd and runc, NRI's socket, CDI's devices.
    "/var/run",
    # The data root, in which dockerd's own containerd keeps its plugins; image stores on the node;
    # our --exec-root.
    *("/var/lib/docker", "/var/lib/dind-store", "/var/dind"),
    *("/proc", "/sys", "/dev"),
    # daemon.json, certificates and hosts.toml of registries, CNI, NRI, CDI, the linker, TLS roots.
    "/etc",
    # containerd's opt plugin puts /opt/containerd/bin first in PATH (plugins/opt), go-cni looks for
    # plugins in /opt/cni/bin, and NRI runs what it finds in /opt/nri/plugins (pkg/api).
    *("/opt/containerd", "/opt/cni", "/opt/nri"),
    # PATH, the linker's directories, plugins of dockerd and of docker, upstream's entrypoint in
    # /usr/local/bin, modules for modprobe, extensions of iptables.
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec"),
    *("/usr/local", "/usr/share"),
)

#: Directories of a node in which the system, the kubelet or a container runtime keeps its files.
SYSTEM_DIRECTORIES = (
    *("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr", "/boot", "/etc", "/root"),
    *("/proc", "/sys", "/dev", "/var/run", "/var/log", "/var/cache", "/var/spool"),
    *("/var/lib/kubelet", "/var/lib/etcd", "/var/lib/rancher", "/var/lib/k0s", "/var/lib/cni"),
    *("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/crio"),
    *("/tmp", "/var/tmp"),  # noqa: S108 - not used
    # The image store of the daemon of mode node.
    "/var/lib/dind",
)


def normal(path: str) -> str:
    """Collapse slashes and dots; the result is absolute and has no slash at its end."""
    return posixpath.normpath("/" + path.lstrip("/"))


def real(path: str) -> str:
    """Normalise, and write /run as /var/run: nearly every image links one to the other."""
    path = normal(path)
    if path == "/run" or path.startswith("/run/"):
        return "/var" + path
    return path


def is_within(path: str, directory: str) -> bool:
    """Tell whether a normalised path is a directory, or lies below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def is_clear_of(path: str, directories: Iterable[str]) -> bool:
    """Tell whether a normalised path is none of the directories, nor below or above one."""
    return not overlaps(path, prefixes(directories))


def prefixes(directories: Iterable[str]) -> tuple[str, ...]:
    """Directories with a slash at their ends, for `overlaps`."""
    return tuple(directory.rstrip("/") + "/" for directory in directories)


def overlaps(path: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a normalised path is one of the directories, or below or above one."""
    own = path.rstrip("/") + "/"
    return own.startswith(prefixes) or any(prefix.startswith(own) for prefix in prefixes)
