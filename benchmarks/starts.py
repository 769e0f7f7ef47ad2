"""Starts: CPU time from a process's beginning to its first good answer, and its memory then."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.answers import check
from benchmarks.comparing import PATH
from benchmarks.load import connected, request_of, run
from benchmarks.reviews import review
from benchmarks.servers import Field, Server, running

_REVIEW = "9"


class Start(Struct, frozen=True):
    """What one start came to.

    Attributes:
        cpu_seconds: of the process, up to the first answer.
        resident: its memory after that, in bytes.
    """

    cpu_seconds: float
    resident: int


def starts(
    commands: Mapping[str, Sequence[str]], folder: Path, count: int
) -> dict[str, list[Start]]:
    """Start each program so often, in turns.

    Args:
        commands: by name.
        folder: as for `running`.
        count: of each.

    Raises:
        BadAnswer: a server answered something else than it should.
    """
    found: dict[str, list[Start]] = {name: [] for name in commands}
    for _ in range(count):
        for name, command in commands.items():
            with running({name: command}, folder) as field:
                found[name].append(_first_answer(field, field.servers[name]))
    return found


def _first_answer(field: Field, server: Server) -> Start:
    body = review(_REVIEW)
    with connected(server, field.tls, 1) as (connection,):
        run(server, [connection], itertools.repeat(request_of(PATH, body)), 0)
        used = server.cpu_seconds()
        check(server.name, _REVIEW, body, connection.body)
    return Start(used, server.resident())
