"""The address of the daemon's socket, as dockerd's --host and the variable DOCKER_HOST have it."""

from collections.abc import Iterable

DOCKER_HOST = "DOCKER_HOST"
SOCKET_FILE = "docker.sock"
_UNIX = "unix://"


def socket_address(directory: str) -> str:
    """The address of the socket in a normalised directory."""
    return f"{_UNIX}{directory}/{SOCKET_FILE}"


def socket_directory(arguments: Iterable[str]) -> str:
    """The directory of the first socket address in the arguments, empty if there is none."""
    addresses = (word.removeprefix("--host=") for word in arguments)
    address = next((word for word in addresses if word.startswith(_UNIX)), "")
    return address.removeprefix(_UNIX).rpartition("/")[0]
