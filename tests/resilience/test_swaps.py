"""Certificates and operator's files that change all the time, broken ones in between."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from resilience.figures import Record, show
from kube.waiting import until
from service.mounting import MountedFolder
from service.running import CertificateFolder, RunningService
from service.traffic import traffic

pytestmark = pytest.mark.resilience

EVERY = 0.05  # seconds
RELOADS = "dind_webhook_{}_reloads_total"
FILES = (
    b"profiles: {default: {image: 'docker:28-dind'}}\n",
    b"profiles: {default: {image: \n",
    b"profiles: {default: {image: 'docker:29-dind'}}\n",
    b"polices: {}\n",
    b"\xff\xfe\x00",
    b"",
)


def certificates_in_turn(folder: CertificateFolder) -> list[Callable[[], None]]:
    """Good and broken pairs by turns; made beforehand, since that takes longer than a turn."""
    good = [folder.issue() for _ in range(6)]
    certificate, key = good[0]
    broken = [
        (certificate, good[1][1]),
        folder.issue_expired(),
        (b"", b""),
        (certificate, key[:100]),
        (b"garbage\x00\xff", key),
    ]
    shown = [pair for both in zip(good, [*broken, broken[0]], strict=True) for pair in both]
    put: list[Callable[[], None]] = [lambda pair=pair: folder.put(*pair) for pair in shown]  # type: ignore[misc]
    return [*put, folder.lose_key]


def files_in_turn(folder: MountedFolder) -> list[Callable[[], None]]:
    return [lambda content=content: folder.show({"config.yaml": content}) for content in FILES]  # type: ignore[misc]


@contextmanager
def swapping(*turns: list[Callable[[], None]]) -> Iterator[list[int]]:
    """Take turns on the clock while the block runs; gives one number, of the turns so far."""
    ended, count = threading.Event(), [0]

    def swap() -> None:
        started = time.monotonic()
        for swaps in zip(*map(itertools.cycle, turns), strict=False):
            for one in swaps:
                one()
            count[0] += 1
            if ended.wait(max(0.0, started + count[0] * EVERY - time.monotonic())):
                return

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield count
    finally:
        ended.set()
        thread.join()


def test_no_handshake_and_no_request_fails_while_both_change_every_50_ms(
    own_service: RunningService,
    certificates: CertificateFolder,
    mounted_config: MountedFolder,
    record_property: Record,
) -> None:
    """One sender keeps its connection, the other one shakes hands for every request."""
    turns = certificates_in_turn(certificates), files_in_turn(mounted_config)
    with traffic(own_service) as running, swapping(*turns) as swaps:
        until(lambda: swaps[0] >= 100 or bool(running.failures), "a hundred swaps", seconds=60)
    taken = {
        what: own_service.metric(RELOADS.format(what), result="success")
        for what in ("certificate", "configuration")
    }
    show(
        record_property,
        swaps=swaps[0],
        **{f"{what}s_taken_over": count for what, count in taken.items()},
        handshakes=running.answered["new"],
        requests=sum(running.answered.values()),
        failures=len(running.failures),
    )
    assert running.failures == []
    assert min(taken.values()) >= 5
    assert own_service.metric(RELOADS.format("certificate"), result="failure") >= 5
