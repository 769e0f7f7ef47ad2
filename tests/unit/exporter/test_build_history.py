"""What the exporter reads from the history of BuildKit."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from unit.exporter.daemons import api, history, silent

from webhook.exporter.build_history import _EVENT, Build, HistoryError, finished_builds


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        yield Path(directory) / "docker.sock"


def event(kind: int = 1, *, ended: bool = True, failed: bool = False, ref: str = "a") -> bytes:
    made = _EVENT(type=kind)
    made.record.ref = ref
    made.record.created_at.FromNanoseconds(10**18)
    if ended:
        made.record.completed_at.FromNanoseconds(10**18 + 1_500_000_000)
    if failed:
        made.record.error = b""  # google.rpc.Status, without a code
    made.record.total_steps, made.record.cached_steps = 6, 2
    message: bytes = made.SerializeToString()
    return message


def read(path: Path) -> list[Build]:
    builds = []
    try:
        for build in finished_builds(str(path)):
            builds.append(build)  # noqa: PERF402 - an exception ends it
    except HistoryError as error:
        assert str(error) == "the daemon has closed the connection"  # noqa: PT017
    return builds


def test_finished_builds_are_read(path: Path) -> None:
    messages = [
        event(0, ended=False),  # begun
        event(ref="b"),
        event(ref="c", failed=True),
        event(2),  # removed from the history
    ]
    with history(path, messages):
        assert read(path) == [
            Build("b", True, 10**18 + 1_500_000_000, 1.5, 6, 2),
            Build("c", False, 10**18 + 1_500_000_000, 1.5, 6, 2),
        ]


def test_unknown_fields_are_skipped(path: Path) -> None:
    """The protocol has others, and later versions will have more."""
    with history(path, [event() + b"\x9a\x06\x03abc"]):
        assert [build.ref for build in read(path)] == ["a"]


def test_another_message_is_an_error(path: Path) -> None:
    with history(path, [b"\xff\xff"]), pytest.raises(HistoryError, match="not a build history"):
        next(finished_builds(str(path)))


def test_a_daemon_without_the_service_is_named(path: Path) -> None:
    """Docker 28 and earlier answer HTTP/1.1 only."""
    with api(path), pytest.raises(HistoryError):
        next(finished_builds(str(path)))


def test_a_daemon_that_closes_connections_is_named(path: Path) -> None:
    with silent(path), pytest.raises(HistoryError, match="UNAVAILABLE"):
        next(finished_builds(str(path)))


def test_a_missing_socket_is_named(path: Path) -> None:
    with pytest.raises(HistoryError, match="UNAVAILABLE"):
        next(finished_builds(str(path)))
