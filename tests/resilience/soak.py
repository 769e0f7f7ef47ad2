"""Many admissions without pause, and the memory that they leave behind."""

import os
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import BinaryIO

from msgspec import Struct
from resilience.memory import resident
from service.reviews import pod, review
from service.running import RunningService
from service.wire import connect, request

_PIPELINED = 10  # requests sent before their answers are read; the service takes 16
_PER_CONNECTION = 1000
_PARTS = 20  # of a run; memory is measured after each

REVIEWS = (
    review(),
    review(pod()),  # skipped
    review(pod({"dind.io/inject": "yes"})),  # denied
    review(pod({"dind.io/inject": "true", "notes": "x" * 5_000})),
    {"kind": "Nothing"},  # not an AdmissionReview
)

_EXPECTED = (200, 400)


class Soak(Struct, frozen=True):
    """The result of a run.

    Attributes:
        answered: requests.
        memory: resident memory in bytes after each part of the run.
    """

    answered: int
    memory: Sequence[int]

    @property
    def growth(self) -> int:
        """Bytes by which memory grew in the second half of the run."""
        later = self.memory[len(self.memory) // 2 :]
        return later[-1] - later[0]


def soak(service: RunningService, admissions: int) -> Soak:
    """Send so many requests of all kinds, over connections that come and go."""
    each = admissions // _PARTS
    requests = _requests()
    memory = []
    for _ in range(_PARTS):
        for start in range(0, each, _PER_CONNECTION):
            number = min(_PER_CONNECTION, each - start)
            _converse(service, [*islice(requests, number)])
        os.truncate(service.process.log, 0)
        memory.append(resident(service.process.pid))
    return Soak(each * _PARTS, memory)


def _requests() -> Iterator[bytes]:
    """All kinds of requests, and pods that differ from all pods before."""
    usual = [request(each) for each in REVIEWS]
    for number in count():
        yield from usual
        container = {"name": f"app-{number}", "image": "docker:29"}
        yield request(review(pod({"dind.io/inject": "true"}, containers=[container])))


def _converse(service: RunningService, requests: Sequence[bytes]) -> None:
    """Send everything over one connection, and check every status."""
    with connect(service) as connection, connection.makefile("rb") as answers:
        for start in range(0, len(requests), _PIPELINED):
            batch = requests[start : start + _PIPELINED]
            connection.sendall(b"".join(batch))
            for _ in batch:
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
