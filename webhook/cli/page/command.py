"""`dind-webhook explain-page`: what the chart's Deployment F-explain runs."""

import sys
from typing import Any

import click
import uvloop

from webhook.cli.group import exits_if_not_usable
from webhook.cli.page import server
from webhook.cli.serving_options import (
    config_option,
    host_option,
    log_level_option,
    poll_interval_option,
    port_option,
    quiet_period_option,
)
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
@host_option
@port_option("--port", "Port of the page, /healthz and /readyz (HTTP).", 8081)
@poll_interval_option("the configuration file")
@quiet_period_option("text")
@log_level_option
def explain_page(
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
        uvloop.run(server.serve(server.Options(excluded=namespaces, **options), log))
