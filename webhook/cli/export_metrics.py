"""`dind-webhook export-metrics`: the container `dind-metrics` of pods with `daemon.metrics`."""

import os
import signal
import sys
from pathlib import Path

import click

from webhook.cli.group import BadUsage

READY_FILE = "dind-ready-seconds"  # beside the socket; dind-ready.sh writes it
_SCHEME = "unix://"
_END = (signal.SIGTERM, signal.SIGINT)


@click.command()
@click.argument("address", metavar="unix:///PATH")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9323,
    show_default=True,
    help="Port of /healthz and /metrics. 0: any free port.",
)
def export_metrics(address: str, port: int) -> None:
    """Export metrics of the Docker daemon at a socket, until SIGTERM."""
    # First, because the imports take most of the start: process 1 of a container ignores a signal
    # without a handler, and the end of a short job would wait for the grace period of the pod.
    for number in _END:
        signal.signal(number, lambda *_: sys.exit(0))
    from webhook.admin_server import AdminServer  # noqa: PLC0415
    from webhook.exporter.exporter import Exporter  # noqa: PLC0415
    from webhook.exporter.metrics import DaemonMetrics  # noqa: PLC0415
    from webhook.logs import configure_logging  # noqa: PLC0415

    path = address.removeprefix(_SCHEME)
    if not address.startswith(f"{_SCHEME}/"):
        raise BadUsage(f"{address!r} is not the address of a socket (accepted: unix:///PATH).")
    log = configure_logging()
    metrics = DaemonMetrics(Path(path).parent / READY_FILE)
    try:
        server = AdminServer(port, metrics.registry, lambda: True)
    except OSError as error:
        click.echo(f"dind-webhook: cannot listen on port {port}: {error.strerror}", err=True)
        sys.exit(os.EX_CONFIG)
    server.start()
    log.info("started", socket=path, port=server.port)
    Exporter(path, metrics, log).start()
    while True:
        signal.pause()
