"""Paths in containers, compared as the kernel would see them."""

import posixpath

#: A mount at, below or above one of these would hide files that the daemon needs.
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
    """Normalise, and write /run as /var/run: nearly every image links one to the other."""
    path = normal(path)
    if path == "/run" or path.startswith("/run/"):
        return "/var" + path
    return path


def is_within(path: str, directory: str) -> bool:
    """Tell whether a normalised path is a directory, or lies below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def is_clear_of(path: str, directories: tuple[str, ...]) -> bool:
    """Tell whether a normalised path is none of the directories, nor below or above one."""
    own = path.rstrip("/") + "/"
    others = [directory.rstrip("/") + "/" for directory in directories]
    return not any(own.startswith(other) or other.startswith(own) for other in others)
