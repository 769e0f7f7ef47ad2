"""The loop: a round that fails is logged, and the next one is tried."""

import io
import json
from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace
from unit.certs.malformed import unusable_ca_secrets
from unit.certs.stored import WRITTEN, secret

from certs.cluster import Cluster, ConflictError, Snapshot
from certs.loop import Rotation
from certs.model import RotationPolicy, State, Unusable, Write
from certs.objects import parse_ca_secret
from webhook.cluster.client import ClusterError
from webhook.logs import configure_logging

EMPTY = Snapshot(WRITTEN, State((), Unusable("is missing"), None), None, None, None)


class FakeCluster:
    """Returns or raises one thing per read, the last one for ever; keeps what is written."""

    def __init__(self, *reads: Snapshot | Exception) -> None:
        self.reads = list(reads)
        self.written: list[Write] = []

    def read(self) -> Snapshot:
        """Return what comes next."""
        found = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        if isinstance(found, Exception):
            raise found
        return found

    def probe(self, snapshot: Snapshot) -> Snapshot:
        """Find no replica."""
        return replace(snapshot, state=replace(snapshot.state, replicas=()))

    def write(self, write: Write, snapshot: Snapshot, policy: RotationPolicy) -> None:
        """Keep it."""
        del snapshot, policy
        self.written.append(write)


@pytest.fixture
def stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO())


def rotation(cluster: FakeCluster, stream: io.TextIOWrapper) -> Rotation:
    log = configure_logging(stream)
    return Rotation(cast("Cluster", cluster), RotationPolicy(("hook",)), timedelta(seconds=60), log)


def events(stream: io.TextIOWrapper) -> list[dict[str, Any]]:
    raw = cast("io.BytesIO", stream.buffer).getvalue()
    return [json.loads(line) for line in raw.splitlines()]


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (ClusterError("500 down"), "request to the API server failed", "warning"),
        (ValueError("never seen"), "round failed", "error"),
        (KeyError("metadata"), "round failed", "error"),
        (RecursionError(), "round failed", "error"),
    ],
    ids=repr,
)
def test_a_round_that_fails_is_logged_and_the_next_one_works(
    error: Exception, event: str, level: str, stream: io.TextIOWrapper
) -> None:
    waiting = replace(EMPTY, state=replace(EMPTY.state, ca_secret_obstacle="is immutable"))
    running = rotation(FakeCluster(error, waiting), stream)
    assert running.run_round() is None
    assert running.run_round() == 60
    lines = events(stream)
    assert [(line["event"], line["level"]) for line in lines] == [
        (event, level),
        ("waiting", "warning"),
    ]


def test_a_conflict_is_planned_anew_at_once(stream: io.TextIOWrapper) -> None:
    waiting = replace(EMPTY, state=replace(EMPTY.state, ca_secret_obstacle="is immutable"))
    running = rotation(FakeCluster(ConflictError("409 Conflict"), waiting), stream)
    assert running.run_round() == 60
    assert [line["event"] for line in events(stream)] == ["write conflict", "waiting"]


def test_writes_without_an_effect_end_a_round(stream: io.TextIOWrapper) -> None:
    cluster = FakeCluster(EMPTY)
    assert rotation(cluster, stream).run_round() is None
    assert len(cluster.written) == 8
    assert events(stream)[-1]["error"] == "8 writes in a row were not enough"


@pytest.mark.parametrize("kind", ["RSA", "no subjectKeyIdentifier", "key of another CA", "garbage"])
def test_an_unusable_ca_is_logged_once_and_replaced(kind: str, stream: io.TextIOWrapper) -> None:
    parsed = parse_ca_secret(secret(unusable_ca_secrets(WRITTEN)[kind]))
    state = replace(EMPTY.state, cas=parsed.cas, problems=parsed.problems)
    cluster = FakeCluster(replace(EMPTY, state=state))
    running = rotation(cluster, stream)
    running.run_round()
    running.run_round()
    lines = events(stream)
    assert [line["problem"] for line in lines if line["event"] == "unusable CA"] == [
        *parsed.problems
    ]
    assert "CA added" in [line["event"] for line in lines]


def test_keys_are_never_logged(stream: io.TextIOWrapper) -> None:
    for kind, data in unusable_ca_secrets(WRITTEN).items():
        parsed = parse_ca_secret(secret(data))
        state = replace(EMPTY.state, cas=parsed.cas, problems=parsed.problems)
        rotation(FakeCluster(replace(EMPTY, state=state)), stream).run_round()
        assert b"PRIVATE" not in cast("io.BytesIO", stream.buffer).getvalue(), kind
    assert events(stream)
