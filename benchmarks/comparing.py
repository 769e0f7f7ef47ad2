"""The comparison: all servers in turn, round after round, cell by cell."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import cycle

from msgspec import Struct

from benchmarks.answers import check
from benchmarks.figures import Turns
from benchmarks.load import Sample, body_of, connected, request_of, run
from benchmarks.programs import WITHOUT_POLICY
from benchmarks.reviews import LEFT_ALONE, review, reviews
from benchmarks.servers import Field

PATH = "/inject/pod?timeout=5s"  # as an API server calls it
_WARM_UP = 0.2  # seconds per server and cell, not counted


class Plan(Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        reviews: keys of `reviews.ALL`.
        connections: how many at once, each count a cell of its own.
        rounds: how often each server gets its turn in each cell.
        seconds: how long a turn is.
        starts: how often each server is started.
    """

    reviews: Sequence[str]
    connections: Sequence[int]
    rounds: int
    seconds: float
    starts: int


class Cell(Turns, frozen=True, kw_only=True):
    """One review at one number of connections: turns of the servers.

    Attributes:
        review: its name.
        size: of the review, in bytes.
        connections: at once.
    """

    review: str
    size: int
    connections: int


def compare(field: Field, plan: Plan) -> Iterator[Cell]:
    """Measure cell by cell.

    Raises:
        BadAnswer: a server answered something else than it should.
    """
    for name in plan.reviews:
        for connections in plan.connections:
            yield _measured(field, name, connections, plan)


def _measured(field: Field, name: str, count: int, plan: Plan) -> Cell:
    requests = [request_of(PATH, body) for body in reviews(name)]
    # Without its policy, the service leaves no pod alone.
    servers = [
        server
        for server in field.servers.values()
        if not (name in LEFT_ALONE and server.name == WITHOUT_POLICY)
    ]
    samples: dict[str, list[Sample]] = {server.name: [] for server in servers}
    with ExitStack() as stack:
        # Each server gets all the requests in turn, however many others took.
        turns = [
            (server, stack.enter_context(connected(server, field.tls, count)), cycle(requests))
            for server in servers
        ]
        for server, connections, mine in turns:
            run(server, connections, mine, _WARM_UP)
        for _ in range(plan.rounds):
            for server, connections, mine in turns:
                samples[server.name].append(run(server, connections, mine, plan.seconds))
            for server, connections, _ in turns:
                for connection in connections:
                    check(server.name, name, body_of(connection.request), connection.body)
    return Cell(samples=samples, review=name, size=len(review(name)), connections=count)
