"""CREATE requests through a real API server: what the webhook adds, alone and beside huge pods.

Needs the directory tests on PYTHONPATH, for its API server.
"""

import json
import ssl
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from apiserver.chart.helm import NAMESPACE
from kube.access import ADMINISTRATOR_TOKEN
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.compare import CHART_LIMIT_MB
from benchmarks.figures import Goal, goal_table, machine, spread, table
from benchmarks.huge import Target, creating_huge_pods
from benchmarks.load import BadAnswer, Connection, Sample, connected, http_request, run
from benchmarks.pods import created_pod
from benchmarks.reviews import SHAPES
from benchmarks.servers import SERVICE, Server, commands, issue_certificate, running
from tools.build import version

DISTURBED_TIMES = 5.0
_CI = "ci"
_CLIENTS = (1, 8)
_WARM_UP_SECONDS = 0.5
_CLEANING_SECONDS = 60.0
_ORDINARY = SHAPES["9"]


class Kind(Struct, frozen=True):
    """A pod that is created again and again.

    Attributes:
        name: in the table.
        namespace: no webhook matches in the chart's own namespace.
        opts_in: whether the pod asks for a daemon.
    """

    name: str
    namespace: str
    opts_in: bool = True


INJECTED = Kind("injected", _CI)
NO_WEBHOOK = Kind("no webhook", NAMESPACE)
KINDS = (NO_WEBHOOK, Kind("opted out", _CI, opts_in=False), INJECTED)
ALONE = "none"


class Turn(Struct, frozen=True):
    """One stretch of CREATE requests.

    Attributes:
        sample: of the API server.
        service_cpu: CPU that the service used per request, in seconds.
    """

    sample: Sample
    service_cpu: float


class Beside(Struct, frozen=True):
    """Ordinary CREATE requests beside huge ones.

    Attributes:
        latencies: of the ordinary ones in all rounds, in seconds.
        huge: statuses of the huge ones.
    """

    latencies: Sequence[float]
    huge: Counter[str]

    def quantile(self, share: float) -> float:
        """A quantile of the latencies, in milliseconds."""
        return Sample(0, 0, self.latencies).quantile(share) * 1e3


def report(rounds: int, seconds: float) -> Iterator[str]:
    """Measure on an API server of its own; yields the lines of the report.

    Args:
        rounds: turns of each kind of pod.
        seconds: length of a turn.

    Raises:
        BadAnswer: a pod was not created, or not as it should be.
    """
    yield machine()
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as name, ControlPlane() as cluster:
        directory = Path(name)
        issue_certificate(directory)
        for namespace in (_CI, NAMESPACE):
            cluster.create_namespace(namespace)
        command = commands(directory, None)[SERVICE]
        with running(SERVICE, command, directory, pinned=False) as service:
            ca = (directory / "ca.crt").read_bytes()
            with registered(cluster, webhook_configuration(service.port, ca)):
                bench = Bench(cluster, service)
                turns = {clients: bench.in_turns(clients, rounds, seconds) for clients in _CLIENTS}
                beside = bench.beside_huge_pods(rounds, seconds)
            peak = service.peak_bytes()
    yield f"Kubernetes {version('kube-apiserver')}; {rounds} rounds of {seconds:g} s; medians"
    yield from create_table(turns)
    yield from beside_table(beside)
    yield from goal_table([*goals(beside, peak)])


class Bench:
    """Creates pods on an API server that calls the service.

    Args:
        cluster: the control plane.
        service: whose CPU time counts.
    """

    def __init__(self, cluster: ControlPlane, service: Server) -> None:
        _, process = cluster.processes
        self._cluster = cluster
        self._service = service
        self._server = Server(process.name, process.pid, cluster.client.base_url.port or 443)
        self._ca_file = cluster.kubeconfig.with_name("ca.crt")
        self._tls = ssl.create_default_context(cafile=self._ca_file)

    def in_turns(self, clients: int, rounds: int, seconds: float) -> dict[str, list[Turn]]:
        """Create the kinds of pods in turn, with several clients; by the kind's name."""
        turns: dict[str, list[Turn]] = {kind.name: [] for kind in KINDS}
        with ExitStack() as stack:
            opened = {
                kind: stack.enter_context(connected(self._server, self._tls, clients))
                for kind in KINDS
            }
            for kind, connections in opened.items():
                self._create(kind, connections, _WARM_UP_SECONDS)
            for _ in range(rounds):
                for kind, connections in opened.items():
                    turns[kind.name].append(self._create(kind, connections, seconds))
        return turns

    def beside_huge_pods(self, rounds: int, seconds: float) -> dict[str, Beside]:
        """Create ordinary pods with one client; by the namespace of the huge pods beside them."""
        latencies: dict[str, list[float]] = {name: [] for name in (ALONE, NAMESPACE, _CI)}
        answers = {name: Counter[str]() for name in latencies}
        with connected(self._server, self._tls, 1) as connections:
            for _ in range(rounds):
                for name in latencies:
                    target = Target(self._server.port, self._ca_file, ADMINISTRATOR_TOKEN, name)
                    others: AbstractContextManager[Counter[str]] = (
                        nullcontext(Counter()) if name == ALONE else creating_huge_pods(target)
                    )
                    with others as huge:
                        turn = self._create(INJECTED, connections, seconds)
                    latencies[name] += turn.sample.latencies
                    answers[name] += huge
        return {name: Beside(latencies[name], answers[name]) for name in latencies}

    def _create(self, kind: Kind, connections: Sequence[Connection], seconds: float) -> Turn:
        """Create pods and check the last ones; those of the turn before are deleted first."""
        path = f"/api/v1/namespaces/{kind.namespace}/pods"
        deletion = {"gracePeriodSeconds": 0}
        self._cluster.client.request(
            "DELETE", path, json=deletion, timeout=_CLEANING_SECONDS
        ).raise_for_status()
        pod = created_pod(replace(_ORDINARY, opts_in=kind.opts_in), kind.namespace)
        authorization = f"Authorization: Bearer {ADMINISTRATOR_TOKEN}"
        request = http_request(path, json.dumps(pod).encode(), authorization)
        before = self._service.cpu_seconds()
        sample = run(self._server, connections, request, seconds)
        used = self._service.cpu_seconds() - before
        for connection in connections:
            _check(kind, connection.body)
        return Turn(sample, used / sample.requests)


def _check(kind: Kind, body: bytes) -> None:
    containers = json.loads(body)["spec"].get("initContainers", ())
    if any(container["name"] == "dind" for container in containers) != (kind is INJECTED):
        raise BadAnswer(f"pod of kind {kind.name!r}: initContainers are {containers}")


def create_table(turns: Mapping[int, Mapping[str, Sequence[Turn]]]) -> Iterator[str]:
    """Rate, latency in milliseconds, and CPU per CREATE request in milliseconds."""
    heads = ("clients", "pod", "creates/s", "p50", "p99", "added to p50")
    rows = [
        [str(clients), name, *_medians(measured, kinds[NO_WEBHOOK.name])]
        for clients, kinds in turns.items()
        for name, measured in kinds.items()
    ]
    return table([*heads, "API server CPU", "service CPU"], rows)


def _medians(turns: Sequence[Turn], without_webhook: Sequence[Turn]) -> Iterator[str]:
    samples = [turn.sample for turn in turns]
    yield f"{spread([sample.requests / sample.seconds for sample in samples]).median:.0f}"
    for share in (0.5, 0.99):
        yield f"{spread([sample.quantile(share) * 1e3 for sample in samples]).median:.2f}"
    pairs = zip(samples, without_webhook, strict=True)
    added = [mine.quantile(0.5) - other.sample.quantile(0.5) for mine, other in pairs]
    yield "" if turns is without_webhook else f"{spread([one * 1e3 for one in added]):.2f}"
    yield f"{spread([sample.cpu * 1e3 for sample in samples]).median:.2f}"
    yield f"{spread([turn.service_cpu * 1e3 for turn in turns]).median:.2f}"


def beside_table(beside: Mapping[str, Beside]) -> Iterator[str]:
    """Latency of an ordinary CREATE request beside four clients that send huge pods."""
    labels = {ALONE: "none", NAMESPACE: "without the webhook", _CI: "with the webhook"}
    rows = [
        (
            labels[name],
            str(len(measured.latencies)),
            f"{measured.quantile(0.5):.1f}",
            f"{measured.quantile(0.99):.1f}",
            ", ".join(f"{count} x {status}" for status, count in sorted(measured.huge.items())),
        )
        for name, measured in beside.items()
    ]
    heads = ("huge pods", "ordinary creates", "p50 ms", "p99 ms", "answers to huge pods")
    return table(heads, rows)


def goals(beside: Mapping[str, Beside], peak_bytes: int) -> Iterator[Goal]:
    """The bounds on what huge pods do to ordinary ones and to the service's memory."""
    times = beside[_CI].quantile(0.99) / beside[ALONE].quantile(0.99)
    yield Goal("p99 of an ordinary create beside huge pods / alone", times, DISTURBED_TIMES)
    yield Goal("peak memory of the service, MB", peak_bytes / 1e6, CHART_LIMIT_MB)
