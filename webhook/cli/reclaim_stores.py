"""`dind-webhook reclaim-stores`: what the chart's DaemonSet F-reclaimer runs on each node."""

import posixpath
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import click

from webhook.admin_server import AdminServer
from webhook.cli.group import BadUsage, exits_if_not_usable
from webhook.cli.live import Unavailable
from webhook.cli.options import kubeconfig_option
from webhook.cluster.client import ClusterError, connect
from webhook.cluster.node_pods import NodePods
from webhook.config import ConfigError, quantity
from webhook.config.fields import store_directory
from webhook.following import ConfigurationFile
from webhook.logs import Logger, configure_logging
from webhook.stores import tree
from webhook.stores.metrics import StoreMetrics
from webhook.stores.reclaimer import Reclaimer

_END = (signal.SIGTERM, signal.SIGINT)
_UNHEALTHY_SECONDS = 600.0
_DESCRIPTORS = 2 * tree.MOST_LEVELS + 100


def _parse_bytes(text: str) -> int:
    try:
        return int(quantity.parse(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}.") from error


@click.command()
@click.argument("node")
@click.argument("directories", nargs=-1, required=True, metavar="DIRECTORY...")
@click.option(
    "--config",
    "config_file",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Configuration file, which is read again in every round.",
)
@click.option(
    "--node-limit",
    type=_parse_bytes,
    metavar="QUANTITY",
    help="Bytes that all stores of the node may hold, such as 200Gi. Unset: no limit.",
)
@click.option(
    "--admin-port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port of /healthz and /metrics. 0: any free port.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.01, 60),
    default=10.0,
    show_default=True,
    help="Seconds from the start of one round to the next.",
)
@kubeconfig_option("the pod's service account")
def reclaim_stores(
    node: str,
    directories: tuple[str, ...],
    *,
    config_file: Path,
    node_limit: int | None,
    admin_port: int,
    interval: float,
    kubeconfig: Path | None,
) -> None:
    """Remove the image stores in each DIRECTORY of NODE that no job needs, until SIGTERM.

    If the configuration file is invalid at the start, the exit code is 78.
    """
    _require_separate(directories)
    log = configure_logging()
    metrics = StoreMetrics()
    health = _Health()
    with exits_if_not_usable(ConfigError):
        configuration = ConfigurationFile(config_file, metrics.configuration_reloads)
        server = AdminServer(admin_port, metrics.registry, health.is_good)
    try:
        pods = NodePods(connect(kubeconfig), node)
    except ClusterError as error:
        raise Unavailable(str(error)) from error
    _allow_descriptors()
    server.start()
    log.info("started", node=node, directories=directories, port=server.port)
    reclaimer = Reclaimer(
        pods, directories, configuration, node_limit=node_limit, metrics=metrics, log=log
    )
    _run(reclaimer, interval, health, metrics, log)


class _Health:
    """Tells whether a round has ended recently."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def report(self) -> None:
        self._last = time.monotonic()

    def is_good(self) -> bool:
        return time.monotonic() - self._last < _UNHEALTHY_SECONDS


def _run(
    reclaimer: Reclaimer, interval: float, health: _Health, metrics: StoreMetrics, log: Logger
) -> None:
    """Run rounds until SIGTERM, which may interrupt one; the next process continues with it."""
    for number in _END:
        signal.signal(number, lambda *_: sys.exit(0))
    pause = threading.Event()
    try:
        while True:
            began = time.monotonic()
            try:
                reclaimer.run_round()
            except Exception:  # a failed round does not end the process: the next one may succeed
                metrics.rounds["failure"].inc()
                log.exception("round failed")
            health.report()
            pause.wait(max(began + interval - time.monotonic(), 0.01))
    except SystemExit:
        log.info("stopped")
        raise


def _require_separate(directories: tuple[str, ...]) -> None:
    """Reject directories of the system, and nested directories, whose stores would mix."""
    for path in directories:
        if not path.startswith("/") or posixpath.normpath(path) != path or path == "/":
            raise BadUsage(
                f"{path!r} is not the path of a directory (accepted: an absolute path without '.', "
                "'..' and a slash at its end)."
            )
        try:
            store_directory(path)
        except ValueError as error:
            raise BadUsage(f"{error}.") from error
        if others := [d for d in directories if d.startswith(f"{path}/")]:
            raise BadUsage(f"{others[0]} is in {path}; stores need separate directories.")


def _allow_descriptors() -> None:
    """Let the process open a directory of each level that is measured."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > _DESCRIPTORS:
        hard = _DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < hard:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, most))
