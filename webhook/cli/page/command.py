"""`dind-webhook explain-page`: what the chart's Deployment F-explain runs."""

import sys
from pathlib import Path
from typing import Any

import click
import uvloop

from webhook.cli.group import exits_if_not_usable
from webhook.cli.options import config_option
from webhook.cli.page import server
from webhook.config import ConfigError
from webhook.injection.optin import EXCLUDED_NAMESPACES
from webhook.logs import configure_logging


@click.command()
@config_option
@click.option(
    "--exclude-namespace",
    "excluded",
    multiple=True,
    metavar="NAME",
    help="Namespace whose pods are never sent to the webhook; repeatable. Always: kube-system, "
    "kube-public and kube-node-lease.",
)
@click.option("--host", help="Address to listen on. Unset: every IPv4 and IPv6 address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="Port of the page, /healthz and /readyz (HTTP). 0: any free port.",
)
@click.option(
    "--poll-interval",
    type=click.FloatRange(0.01, 60),
    default=1.0,
    show_default=True,
    help="Seconds between two reads of the configuration file.",
)
@click.option(
    "--quiet-period",
    type=click.FloatRange(0, 60),
    default=5.0,
    show_default=True,
    help="After SIGTERM, exit when no text has arrived for this many seconds.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Lowest level of the lines to log.",
)
def explain_page(
    config_file: Path | None,
    excluded: tuple[str, ...],
    log_level: str,
    **options: Any,  # noqa: ANN401 - as declared above
) -> None:
    """Serve a page that explains pasted pods as `explain -f` does, until SIGTERM.

    A changed configuration file takes effect without a restart; an invalid one is logged and
    ignored. If it is invalid at the start, the exit code is 78.
    """
    log = configure_logging(sys.stderr, log_level)
    namespaces = (*EXCLUDED_NAMESPACES, *excluded)
    with exits_if_not_usable(ConfigError):
        uvloop.run(
            server.serve(server.Options(config=config_file, excluded=namespaces, **options), log)
        )
