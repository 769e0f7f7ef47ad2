"""Paths in containers, compared as the kernel would see them."""

import posixpath

#: Below these, and at any folder above one, a mount would hide what the daemon itself needs.
PROTECTED = (
    *("/var/run", "/var/lib/docker", "/var/dind", "/proc", "/sys", "/dev"),
    *("/bin", "/sbin", "/lib", "/lib64", "/etc"),
    *(
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/usr/lib64",
        "/usr/libexec",
        "/usr/local",
        "/usr/share",
    ),
)


def normal(path: str) -> str:
    """Collapse slashes and dots; the result is absolute and has no slash at its end."""
    return posixpath.normpath("/" + path.lstrip("/"))


def real(path: str) -> str:
    """Normalise, and spell /run as /var/run: nearly every image links one to the other."""
    path = normal(path)
    if path == "/run" or path.startswith("/run/"):
        return "/var" + path
    return path


def is_within(path: str, folder: str) -> bool:
    """Tell whether a normalised path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def is_clear_of(path: str, folders: tuple[str, ...]) -> bool:
    """Tell whether a normalised path is none of the folders, nor below or above one."""
    own = path.rstrip("/") + "/"
    others = [folder.rstrip("/") + "/" for folder in folders]
    return not any(own.startswith(other) or other.startswith(own) for other in others)
