"""Creations in turns: without any webhook, uninvolved, and injected."""

import itertools
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from kube.access import ADMINISTRATOR_TOKEN
from kube.controlplane import ControlPlane
from msgspec import Struct

from benchmarks.figures import Turns
from benchmarks.load import BadAnswer, Connection, Sample, connected, request_of, run
from benchmarks.pods import asked
from benchmarks.reviews import LEFT_ALONE, SHAPES
from benchmarks.servers import Server

NO_WEBHOOK, UNINVOLVED, INJECTED = "no webhook", "opted out", "injected"
_WARM_UP = 0.2  # seconds per kind of pod, not counted
_CLEANING_SECONDS = 60.0


class Kind(Struct, frozen=True):
    """A pod to create, again and again.

    Attributes:
        name: for people.
        namespace: where.
        pod: as sent.
    """

    name: str
    namespace: str
    pod: Mapping[str, object]


class Creations(Turns, frozen=True, kw_only=True):
    """One number of clients: turns of the kinds.

    Attributes:
        clients: at once.
        service: CPU time of the service per creation, in seconds, in the same shape.
    """

    clients: int
    service: Mapping[str, Sequence[float]]


def kinds(involved: str, excluded: str) -> list[Kind]:
    """The pods: the same everywhere, but for what they ask for.

    Args:
        involved: a namespace in which the webhook's entries match.
        excluded: one in which none does.
    """
    opts_in, opts_out = asked(SHAPES["9"]), asked(LEFT_ALONE["9-out"])
    return [
        Kind(NO_WEBHOOK, excluded, _within(excluded, opts_in)),
        Kind(UNINVOLVED, involved, _within(involved, opts_out)),
        Kind(INJECTED, involved, _within(involved, opts_in)),
    ]


def _within(namespace: str, pod: Mapping[str, dict[str, object]]) -> Mapping[str, object]:
    return {**pod, "metadata": {**pod["metadata"], "namespace": namespace}}


def create(
    control_plane: ControlPlane,
    service: Server,
    pods: Sequence[Kind],
    *,
    clients: Sequence[int],
    rounds: int,
    seconds: float,
) -> Iterator[Creations]:
    """Create pods of each kind in turns, and delete them.

    Args:
        control_plane: where.
        service: what it calls.
        pods: what.
        clients: how many at once, each count a measurement of its own.
        rounds: turns of each kind.
        seconds: length of a turn.

    Raises:
        BadAnswer: a pod was not created, or not as it should be.
    """
    _, process = control_plane.processes
    server = Server("kube-apiserver", process.pid, control_plane.client.base_url.port or 443)
    tls = ssl.create_default_context(cafile=control_plane.kubeconfig.with_name("ca.crt"))
    for count in clients:
        samples: dict[str, list[Sample]] = {kind.name: [] for kind in pods}
        used: dict[str, list[float]] = {kind.name: [] for kind in pods}
        with ExitStack() as stack:
            turns = [(kind, stack.enter_context(connected(server, tls, count))) for kind in pods]
            for kind, connections in turns:
                run(server, connections, itertools.repeat(_request(kind)), _WARM_UP)
            for _ in range(rounds):
                for kind, connections in turns:
                    _clean(control_plane, kind)
                    before = service.cpu_seconds()
                    sample = run(server, connections, itertools.repeat(_request(kind)), seconds)
                    used[kind.name].append((service.cpu_seconds() - before) / sample.requests)
                    samples[kind.name].append(sample)
                    _check(kind, connections)
        yield Creations(samples=samples, clients=count, service=used)


def _request(kind: Kind) -> bytes:
    authorization = f"Authorization: Bearer {ADMINISTRATOR_TOKEN}"
    path = f"/api/v1/namespaces/{kind.namespace}/pods"
    return request_of(path, json.dumps(kind.pod).encode(), authorization)


def _clean(control_plane: ControlPlane, kind: Kind) -> None:
    """Delete what earlier turns created: a store that grows would be slower and slower."""
    control_plane.client.request(
        "DELETE",
        f"/api/v1/namespaces/{kind.namespace}/pods",
        json={"gracePeriodSeconds": 0},
        timeout=_CLEANING_SECONDS,
    ).raise_for_status()


def _check(kind: Kind, connections: Sequence[Connection]) -> None:
    for connection in connections:
        containers = json.loads(connection.body)["spec"].get("initContainers", ())
        if any(one["name"] == "dind" for one in containers) != (kind.name == INJECTED):
            raise BadAnswer(f"a pod ({kind.name}) has a daemon where it should not, or none")
