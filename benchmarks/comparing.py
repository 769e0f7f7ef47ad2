"""The comparison: both servers in turn, round after round, cell by cell."""

import base64
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.load import BadAnswer, Connection, Sample, connected, request_of, run
from benchmarks.reviews import UID, review
from benchmarks.servers import Pair, Server, both_servers

_WARM_UP = 0.2  # seconds per server and cell, not counted


class Plan(Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        sizes: keys of `reviews.SHAPES`.
        connections: how many at once, each count a cell of its own.
        rounds: how often each server gets its turn in each cell.
        seconds: how long a turn is.
        prototype: measure a plain prototype in the service's place.
    """

    sizes: Sequence[str]
    connections: Sequence[int]
    rounds: int
    seconds: float
    prototype: bool = False


class Cell(Struct, frozen=True):
    """One size at one number of connections: a sample per round of each server.

    Attributes:
        size: of the review, in bytes.
        connections: at once.
        echo: samples in order.
        webhook: samples in the same order.
    """

    size: int
    connections: int
    echo: Sequence[Sample]
    webhook: Sequence[Sample]

    def ratios(self) -> list[float]:
        """CPU per request of the service over the echo's, round by round."""
        pairs = zip(self.echo, self.webhook, strict=True)
        return [webhook.cpu / echo.cpu for echo, webhook in pairs]


def middle(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """The median over rounds."""
    return statistics.median(map(of, samples))


def compare(plan: Plan) -> Iterator[Cell]:
    """Measure cell by cell.

    Raises:
        BadAnswer: a server answered something else than it should.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dind-webhook-") as folder,
        both_servers(Path(folder), prototype=plan.prototype) as pair,
    ):
        for size in plan.sizes:
            for connections in plan.connections:
                yield _measured(pair, review(size), connections, plan)


def _measured(pair: Pair, body: bytes, count: int, plan: Plan) -> Cell:
    request = request_of("/inject/pod", body)
    samples: dict[Server, list[Sample]] = {pair.echo: [], pair.webhook: []}
    with (
        connected(pair.echo, pair.tls, count) as to_echo,
        connected(pair.webhook, pair.tls, count) as to_webhook,
    ):
        turns = ((pair.echo, to_echo), (pair.webhook, to_webhook))
        for server, connections in turns:
            run(server, connections, request, _WARM_UP)
        for _ in range(plan.rounds):
            for server, connections in turns:
                samples[server].append(run(server, connections, request, plan.seconds))
            _check(body, to_echo, to_webhook)
    return Cell(len(body), count, samples[pair.echo], samples[pair.webhook])


def _check(body: bytes, to_echo: Sequence[Connection], to_webhook: Sequence[Connection]) -> None:
    """Look into the last answers of a round: the body itself, and a patch for this review."""
    for connection in to_echo:
        if connection.body != body:
            raise BadAnswer("the echo sent something else than it got")
    for connection in to_webhook:
        response = json.loads(connection.body)["response"]
        if response["uid"] != UID or "patch" not in response:
            raise BadAnswer(f"the webhook's answer has another uid or no patch: {response}")
        paths = [operation["path"] for operation in json.loads(base64.b64decode(response["patch"]))]
        if not any(path.startswith("/spec/initContainers") for path in paths):
            raise BadAnswer(f"the webhook's patch adds no daemon, only {', '.join(paths)}")
