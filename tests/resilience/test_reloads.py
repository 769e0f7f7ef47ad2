"""Certificates and configuration files that change all the time, with invalid ones in between."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kube.waiting import until
from resilience.figures import Record, show
from service.mounting import MountedDirectory
from service.running import CertificateDirectory, RunningService
from service.traffic import traffic

pytestmark = pytest.mark.resilience

INTERVAL = 0.05  # seconds
RELOADS = "dind_webhook_{}_reloads_total"
FILES = (
    b"profiles: {default: {image: 'docker:28-dind'}}\n",
    b"profiles: {default: {image: \n",
    b"profiles: {default: {image: 'docker:29-dind'}}\n",
    b"polices: {}\n",
    b"\xff\xfe\x00",
    b"",
)

Change = Callable[[], None]


def certificate_changes(directory: CertificateDirectory) -> list[Change]:
    """Valid and invalid pairs in turn; issued beforehand, since that takes longer than a turn."""
    valid = [directory.issue() for _ in range(6)]
    certificate, key = valid[0]
    invalid = [
        (certificate, valid[1][1]),
        directory.issue_expired(),
        (b"", b""),
        (certificate, key[:100]),
        (b"garbage\x00\xff", key),
        (certificate, valid[1][1]),
    ]
    pairs = itertools.chain.from_iterable(zip(valid, invalid, strict=True))
    changes: list[Change] = [lambda pair=pair: directory.put(*pair) for pair in pairs]  # type: ignore[misc]
    return [*changes, directory.lose_key]


def configuration_changes(directory: MountedDirectory) -> list[Change]:
    return [
        lambda content=content: directory.show({"config.yaml": content})  # type: ignore[misc]
        for content in FILES
    ]


@contextmanager
def changing(*sequences: list[Change]) -> Iterator[list[int]]:
    """Apply a change of each sequence at each turn while the block runs.

    Yields:
        One number: the turns so far.
    """
    ended, turns = threading.Event(), [0]

    def change() -> None:
        started = time.monotonic()
        for changes in zip(*map(itertools.cycle, sequences), strict=False):
            for each in changes:
                each()
            turns[0] += 1
            if ended.wait(max(0.0, started + turns[0] * INTERVAL - time.monotonic())):
                return

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield turns
    finally:
        ended.set()
        thread.join()


def test_no_handshake_and_no_request_fails_while_both_change_every_50_ms(
    own_service: RunningService,
    certificates: CertificateDirectory,
    mounted_config: MountedDirectory,
    record_property: Record,
) -> None:
    """One sender keeps its connection, the other opens one for every request."""
    sequences = certificate_changes(certificates), configuration_changes(mounted_config)

    def reloads(what: str, result: str) -> float:
        return own_service.metric(RELOADS.format(what), result=result)

    def enough(turns: int) -> bool:
        return turns >= 100 and all(
            reloads(what, result) >= 5
            for what in ("certificate", "configuration")
            for result in ("success", "failure")
        )

    with traffic(own_service) as running, changing(*sequences) as turns:
        until(
            lambda: bool(running.failures) or enough(turns[0]),
            "a hundred changes, and reloads of both kinds",
            seconds=60,
        )
    show(
        record_property,
        changes=turns[0],
        certificates_reloaded=reloads("certificate", "success"),
        configurations_reloaded=reloads("configuration", "success"),
        handshakes=running.answered["new"],
        requests=sum(running.answered.values()),
        failures=len(running.failures),
    )
    assert running.failures == []
