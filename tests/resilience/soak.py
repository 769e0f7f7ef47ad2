"""A long life in little time: admissions without pause, and the memory that they leave."""

import os
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import BinaryIO

from resilience.memory import resident
from msgspec import Struct
from service.reviews import pod, review
from service.running import RunningService
from service.wire import connect, request

_PIPELINED = 20  # requests sent before their answers are read; both fit into the buffers
_PER_CONNECTION = 1000
_PARTS = 20  # of a run; memory is looked at after each

REVIEWS = (
    review(),
    review(pod()),  # left alone
    review(pod({"dind.io/inject": "yes"})),  # refused
    review(pod({"dind.io/inject": "true", "notes": "x" * 5_000})),
    {"kind": "Nothing"},  # no review at all
)

_EXPECTED = (200, 400)


class Life(Struct, frozen=True):
    """What came of a run.

    Attributes:
        answered: admissions and refusals.
        memory: bytes in memory after each part of the run.
    """

    answered: int
    memory: Sequence[int]

    @property
    def growth(self) -> int:
        """Bytes that the second half of the run has left behind."""
        later = self.memory[len(self.memory) // 2 :]
        return later[-1] - later[0]


def live(service: RunningService, admissions: int) -> Life:
    """Send so many requests of all kinds, over connections that come and go."""
    each = admissions // _PARTS
    requests = _requests()
    memory = []
    for _ in range(_PARTS):
        for start in range(0, each, _PER_CONNECTION):
            some = min(_PER_CONNECTION, each - start)
            _converse(service, [*islice(requests, some)])
        os.truncate(service.process.log, 0)  # it is written to its end, wherever that is
        memory.append(resident(service.process.pid))
    return Life(each * _PARTS, memory)


def _requests() -> Iterator[bytes]:
    """All kinds of requests, and again and again pods such as never were before.

    Those come twice, so that the service remembers them, and has to forget others.
    """
    usual = [request(one) for one in REVIEWS]
    for number in count():
        yield from usual
        container = {"name": f"app-{number // 2}", "image": "docker:29"}
        yield request(review(pod({"dind.io/inject": "true"}, containers=[container])))


def _converse(service: RunningService, requests: Sequence[bytes]) -> None:
    """Send everything over one connection; every answer must be one that we know."""
    with connect(service) as connection, connection.makefile("rb") as answers:
        for start in range(0, len(requests), _PIPELINED):
            some = requests[start : start + _PIPELINED]
            connection.sendall(b"".join(some))
            for _ in some:
                _read_answer(answers)


def _read_answer(answers: BinaryIO) -> None:
    status = int(answers.readline().split()[1])
    assert status in _EXPECTED, status
    length = 0
    while (line := answers.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    answers.read(length)
