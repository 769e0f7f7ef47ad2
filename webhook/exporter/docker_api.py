"""The part of the Docker Engine API that the exporter reads, over the daemon's socket.

Source: https://docs.docker.com/reference/api/engine/
"""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field

_VERSION = "v1.44"  # of the API: Docker 25 and later answer it
_SECONDS = 120  # the daemon reads its whole store for the disk use
_LONGEST_ANSWER = 32 * 1024 * 1024  # bytes
_LONGEST_EVENT = 8 * 1024 * 1024  # it contains all labels of the image
_NANOSECONDS = 10**9


class DockerError(Exception):
    """The daemon does not answer, or its response is not as documented."""


class DiskUse(Struct, frozen=True):
    """Bytes in the daemon's store.

    Attributes:
        images: layers of all images, each counted once.
        containers: writable layers of all containers.
        volumes: local volumes.
        build_cache: records that are not also layers of images.
    """

    images: int
    containers: int
    volumes: int
    build_cache: int


class _Container(Struct):
    size: int = field(name="SizeRw", default=0)


class _VolumeUsage(Struct):
    size: int = field(name="Size", default=-1)  # unknown


class _Volume(Struct):
    usage: _VolumeUsage | None = field(name="UsageData", default=None)


class _CacheRecord(Struct):
    size: int = field(name="Size", default=0)
    is_shared: bool = field(name="Shared", default=False)


class _Usage(Struct):
    layers_size: int = field(name="LayersSize", default=0)
    containers: list[_Container] | None = field(name="Containers", default=None)
    volumes: list[_Volume] | None = field(name="Volumes", default=None)
    build_cache: list[_CacheRecord] | None = field(name="BuildCache", default=None)


class _Event(Struct):
    nanoseconds: int = field(name="timeNano", default=0)


class _Connection(HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def disk_use(path: str) -> DiskUse:
    """Request the disk use, for which the daemon walks through its volumes.

    Args:
        path: of the daemon's socket.

    Raises:
        DockerError: the daemon does not answer.
    """
    with closing(_Connection(path)) as connection:
        try:
            body = _get(connection, "/system/df").read(_LONGEST_ANSWER)
            usage = msgspec.json.decode(body, type=_Usage)
        except (OSError, HTTPException, msgspec.MsgspecError) as error:
            raise DockerError(f"{type(error).__name__}: {error}") from error
    volumes = [volume.usage.size for volume in usage.volumes or () if volume.usage]
    return DiskUse(
        images=usage.layers_size,
        containers=sum(container.size for container in usage.containers or ()),
        volumes=sum(size for size in volumes if size > 0),
        build_cache=sum(each.size for each in usage.build_cache or () if not each.is_shared),
    )


def pulls(path: str, since: int) -> Iterator[int]:
    """Yield the time of each pulled image, in nanoseconds since 1970.

    `docker pull`, `run` and `compose` cause these events; builds fetch base images without them.

    Args:
        path: of the daemon's socket.
        since: yield pulls after this time, including those before this call.

    Raises:
        DockerError: the daemon does not answer, or has closed the connection.
    """
    seconds, rest = divmod(since, _NANOSECONDS)
    parameters = {
        "since": f"{seconds}.{rest:09}",
        "filters": json.dumps({"type": ["image"], "event": ["pull"]}),
    }
    with closing(_Connection(path)) as connection:
        try:
            response = _get(connection, f"/events?{urlencode(parameters)}")
            connection.sock.settimeout(None)  # the next event may be hours away
            while line := response.readline(_LONGEST_EVENT):
                event = msgspec.json.decode(line, type=_Event)
                if event.nanoseconds > since:
                    yield event.nanoseconds
        except (OSError, HTTPException, msgspec.MsgspecError) as error:
            raise DockerError(f"{type(error).__name__}: {error}") from error
    raise DockerError("the daemon has closed the connection")


def _get(connection: _Connection, path: str) -> HTTPResponse:
    connection.request("GET", f"/{_VERSION}{path}")
    response = connection.getresponse()
    if response.status != HTTPStatus.OK:
        raise HTTPException(f"HTTP status {response.status}")
    return response
