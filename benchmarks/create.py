"""CREATE requests through a real API server: what the webhook adds, alone and beside huge pods.

Needs the directory tests on PYTHONPATH, for its API server.
"""

import json
import ssl
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from apiserver.chart.helm import NAMESPACE
from kube.access import ADMINISTRATOR_TOKEN
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from msgspec import Struct, field
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
_WARM_UP_SECONDS = 0.5
_HUGE_TURNS = 5  # times the length of other turns, because fewer creates fit into a second
_CLEANING_SECONDS = 60.0


class Row(Struct):
    """CREATE requests of a 9 kB pod by one client, in the order of the rounds.

    Attributes:
        name: in the table.
        namespace: of the pod; no webhook matches in the chart's own one.
        opts_in: whether the pod asks for a daemon.
        huge: the namespace in which other clients create huge pods meanwhile.
        samples: of the API server.
        service_cpu: CPU of the service per request, in seconds.
        answers: to the huge pods, by status.
    """

    name: str
    namespace: str = _CI
    opts_in: bool = True
    huge: str | None = None
    samples: list[Sample] = field(default_factory=list)
    service_cpu: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def injected(self) -> bool:
        """Whether the pod gets a daemon."""
        return self.opts_in and self.namespace == _CI

    def quantile(self, share: float) -> float:
        """A quantile of the latencies of all rounds, in milliseconds."""
        latencies = [latency for sample in self.samples for latency in sample.latencies]
        return Sample(0, 0, latencies).quantile(share) * 1e3


def new_rows() -> list[Row]:
    """What is measured; the last two rows differ only in whether the webhook gets the huge pods."""
    return [
        Row("no webhook", namespace=NAMESPACE),
        Row("opted out", opts_in=False),
        Row("injected"),
        Row("injected, huge pods without the webhook", huge=NAMESPACE),
        Row("injected, huge pods with the webhook", huge=_CI),
    ]


def report(rounds: int, seconds: float) -> Iterator[str]:
    """Measure on an API server of its own; yields the lines of the report.

    Args:
        rounds: turns of each row.
        seconds: length of a turn; five times that beside huge pods.

    Raises:
        BadAnswer: a pod was not created, or not as it should be.
    """
    yield machine()
    rows = new_rows()
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as name, ControlPlane() as cluster:
        directory = Path(name)
        issue_certificate(directory)
        for namespace in (_CI, NAMESPACE):
            cluster.create_namespace(namespace)
        command = commands(directory, None)[SERVICE]
        with running(SERVICE, command, directory, pinned=False) as service:
            ca = (directory / "ca.crt").read_bytes()
            with registered(cluster, webhook_configuration(service.port, ca)):
                _measure(cluster, service, rows, rounds, seconds)
            peak = service.peak_bytes()
    yield (
        f"Kubernetes {version('kube-apiserver')}; {rounds} rounds of {seconds:g} s, one client; "
        "latency of all rounds, medians of the others; milliseconds"
    )
    yield from create_table(rows)
    yield from goal_table([*goals(rows, peak)])


def _measure(
    cluster: ControlPlane, service: Server, rows: Sequence[Row], rounds: int, seconds: float
) -> None:
    """Let the rows take turns."""
    _, process = cluster.processes
    server = Server(process.name, process.pid, cluster.client.base_url.port or 443)
    ca_file = cluster.kubeconfig.with_name("ca.crt")
    tls = ssl.create_default_context(cafile=ca_file)
    with connected(server, tls, 1) as (connection,):
        for number in range(rounds + 1):
            for row in rows:
                _delete_pods(cluster, row.namespace)
                with ExitStack() as stack:
                    if row.huge and number:
                        target = Target(server.port, ca_file, ADMINISTRATOR_TOKEN, row.huge)
                        stack.enter_context(creating_huge_pods(target, row.answers))
                    before = service.cpu_seconds()
                    request = _create_request(row)
                    turn = seconds * (_HUGE_TURNS if row.huge else 1)
                    sample = run(
                        server, [connection], request, turn if number else _WARM_UP_SECONDS
                    )
                    used = service.cpu_seconds() - before
                _check(row, connection)
                if number:
                    row.samples.append(sample)
                    row.service_cpu.append(used / sample.requests)


def _delete_pods(cluster: ControlPlane, namespace: str) -> None:
    """Keep the store small: a large one is slower."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    options = {"gracePeriodSeconds": 0}
    cluster.client.request(
        "DELETE", path, json=options, timeout=_CLEANING_SECONDS
    ).raise_for_status()


def _create_request(row: Row) -> bytes:
    pod = created_pod(replace(SHAPES["9"], opts_in=row.opts_in), row.namespace)
    path = f"/api/v1/namespaces/{row.namespace}/pods"
    authorization = f"Authorization: Bearer {ADMINISTRATOR_TOKEN}"
    return http_request(path, json.dumps(pod).encode(), authorization)


def _check(row: Row, connection: Connection) -> None:
    containers = json.loads(connection.body)["spec"].get("initContainers", ())
    if any(container["name"] == "dind" for container in containers) != row.injected:
        raise BadAnswer(f"{row.name}: the pod's initContainers are {containers}")


def create_table(rows: Sequence[Row]) -> Iterator[str]:
    """Latency and CPU of CREATE requests, in milliseconds."""
    heads = ("9 kB pod", "creates", "p50", "p99", "API server CPU", "service CPU")
    cells = []
    for row in rows:
        cpu = spread([sample.cpu for sample in row.samples]), spread(row.service_cpu)
        cells.append(
            (
                row.name,
                str(sum(sample.requests for sample in row.samples)),
                f"{row.quantile(0.5):.2f}",
                f"{row.quantile(0.99):.2f}",
                *("" if row.huge else f"{used.median * 1e3:.2f}" for used in cpu),
                ", ".join(
                    f"{count} with {status}" for status, count in sorted(row.answers.items())
                ),
            )
        )
    return table((*heads, "answers to huge pods"), cells)


def goals(rows: Sequence[Row], peak_bytes: int) -> Iterator[Goal]:
    """The bounds on what huge pods do to ordinary ones and to the service's memory."""
    _, _, alone, without_webhook, beside = rows
    p99 = beside.quantile(0.99)
    figure = "p99 of an ordinary create beside huge pods / "
    yield Goal(f"{figure}alone", p99 / alone.quantile(0.99), DISTURBED_TIMES)
    times = p99 / without_webhook.quantile(0.99)
    yield Goal(f"{figure}beside huge pods without the webhook", times, None)
    yield Goal("peak memory of the service, MB", peak_bytes / 1e6, CHART_LIMIT_MB)
