"""Paths in containers, compared as the kernel would see them."""

import posixpath


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
