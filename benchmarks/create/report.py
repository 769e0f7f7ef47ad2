"""What the webhook adds to a creation, as plain text for docs/performance.md."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from apiserver.chart.helm import NAMESPACE
from kube.controlplane import ControlPlane
from kube.registration import registered, webhook_configuration
from service.running import CertificateFolder, running_service

from benchmarks.create.measuring import NO_WEBHOOK, Creations, create, kinds
from benchmarks.figures import microseconds, p50, p99, rate
from benchmarks.servers import Server
from benchmarks.tables import Row, aligned, text
from tools.build import version

_JOBS = "ci"


def lines(clients: Sequence[int], rounds: int, seconds: float) -> Iterator[str]:
    """Measure on an API server of its own, and tell all that came of it.

    Raises: what `ControlPlane` and `create` do.
    """
    with tempfile.TemporaryDirectory(prefix="dind-webhook-") as name, ControlPlane() as cluster:
        folder = Path(name)
        certificates = CertificateFolder(folder / "tls")
        # No endpoint of the webhook's matches in the namespace that its own release is in.
        for namespace in (_JOBS, NAMESPACE):
            cluster.create_namespace(namespace)
        with running_service(folder, certificates, "--poll-interval", "1") as service:
            configuration = webhook_configuration(service.port, certificates.authority.pem)
            with registered(cluster, configuration):
                server = Server("service", service.process.pid, service.port)
                pods = kinds(_JOBS, NAMESPACE)
                turns = create(
                    cluster, server, pods, clients=clients, rounds=rounds, seconds=seconds
                )
                measured = list(turns)
            decided = service.decisions()
    yield (
        f"Kubernetes {version('kube-apiserver')}; {rounds} rounds of {seconds:g} s for each kind "
        f"of pod; {decided} decisions"
    )
    yield ""
    yield "Creation of a pod, milliseconds: medians over rounds (least..most)"
    yield ""
    yield from aligned(_rows(measured), left=1)


def _rows(measured: Sequence[Creations]) -> list[Row]:
    heads: Row = ("clients", "pod", "created/s", "p50", "p99", "added to p50", "added to p99")
    heads = (*heads, "API server's CPU", "service's CPU")
    rows: list[Row] = [heads]
    for creations in measured:
        for kind in creations.samples:
            added = [text(creations.over(kind, NO_WEBHOOK, figure)) for figure in (p50, p99)]
            rows.append(
                (
                    str(creations.clients),
                    kind,
                    f"{creations.of(kind, rate):.0f}",
                    f"{creations.of(kind, p50):.2f}",
                    f"{creations.of(kind, p99):.2f}",
                    *(added if kind != NO_WEBHOOK else ("", "")),
                    f"{creations.of(kind, microseconds) / 1e3:.2f}",
                    f"{median(creations.service[kind]) * 1e3:.2f}",
                )
            )
    return rows
