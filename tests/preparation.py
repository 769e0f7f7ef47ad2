"""The programs and images that whole levels of tests need.

Each is prepared once per run, when the first test that needs it is due: the quick levels come
before, so that they need no Go tool and never wait for a build.
"""

import functools
from collections.abc import Iterator

import pytest

from tools.build import ToolMissing, ensure
from tools.catalogue import CONTROL_PLANE
from tools.chromium import find_chromium
from tools.environments import python_of

PARTS = ("browser", "environments", "node", "vm")  # markers without arguments


def prepare(item: pytest.Item) -> None:
    """Builds what a test needs. Failures are kept for `check`."""
    for part in _parts(item):
        _failure(part)


def check(item: pytest.Item) -> None:
    """Skips a test if something must be installed first; fails it if its preparation failed."""
    for part in _parts(item):
        match _failure(part):
            case (ToolMissing() | PermissionError()) as missing:
                pytest.skip(str(missing))
            case Exception() as failure:
                raise failure


def _parts(item: pytest.Item) -> Iterator[str]:
    """What the markers of a test name; `tools` and `apiserver` may name tools."""
    if marker := item.get_closest_marker("apiserver"):
        yield from (*CONTROL_PLANE, *marker.args)
    if marker := item.get_closest_marker("tools"):
        yield from marker.args
    yield from (name for name in PARTS if item.get_closest_marker(name))


@functools.cache
def _failure(part: str) -> Exception | None:
    """Prepares a part; a part that failed is not tried again by the next test."""
    try:
        _prepare(part)
    except Exception as failure:  # noqa: BLE001 - pytest would end the whole run
        return failure
    return None


def _prepare(part: str) -> None:
    match part:
        case "browser":
            find_chromium()
        case "environments":
            python_of("runtime")
            python_of("supply")
        case "node":
            from node.cluster import Cluster  # noqa: PLC0415 - the quick levels do without
            from node.product_image import product_archive  # noqa: PLC0415

            Cluster()
            product_archive()
        case "vm":
            from node.product_image import product_archive  # noqa: PLC0415
            from vm.cluster import MachineCluster  # noqa: PLC0415

            MachineCluster([product_archive()])
        case tool:
            ensure(tool)
