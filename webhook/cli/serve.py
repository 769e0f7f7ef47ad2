"""`dind-webhook serve`: the service."""

import sys
from pathlib import Path
from typing import Any

import click
import uvloop

from webhook.cli.group import exits_if_not_usable
from webhook.cli.serving_options import (
    PATH,
    config_option,
    host_option,
    log_level_option,
    option,
    poll_interval_option,
    port_option,
    quiet_period_option,
)
from webhook.config import ConfigError
from webhook.logs import configure_logging
from webhook.serving import server
from webhook.serving.clients import ClientCAError
from webhook.serving.tls import CertificateError


@click.command()
@config_option
@option(
    "--tls-dir",
    PATH,
    "Directory with tls.crt and tls.key, such as the mount of a Secret of type kubernetes.io/tls.",
    required=True,
)
@option(
    "--client-ca",
    PATH,
    "CA bundle (PEM) used to verify client certificates. Unset: clients are not authenticated.",
)
@option(
    "--client-name", str, "Name that client certificates must have; needs --client-ca. Unset: any."
)
@host_option
@port_option("--port", "Port of the webhook (TLS).", 8443)
@port_option("--admin-port", "Port of /healthz, /readyz and /metrics.", 8080)
@poll_interval_option("the certificate and the configuration file")
@quiet_period_option("request")
@option(
    "--stop-deadline",
    click.FloatRange(0, 600),
    "After SIGTERM, exit after this many seconds at the latest.",
    default=25.0,
)
@log_level_option
def serve(log_level: str, **options: Any) -> None:  # noqa: ANN401 - as declared above
    """Serve the webhook until SIGTERM.

    A changed certificate or configuration file takes effect without a restart; an invalid one is
    logged, counted and ignored. If it is invalid at the start, the exit code is 78.
    """
    _require_client_ca(options["client_ca"], options["client_name"])
    log = configure_logging(sys.stderr, log_level)
    with exits_if_not_usable(CertificateError, ClientCAError, ConfigError):
        uvloop.run(server.serve(server.Options(**options), log))


def _require_client_ca(client_ca: Path | None, client_name: str | None) -> None:
    """Require a CA for the name: without one, clients may claim any name."""
    if client_name == "":
        raise click.UsageError("--client-name is empty. Leave it out to accept any name.")
    if client_name is not None and client_ca is None:
        raise click.UsageError("--client-name needs --client-ca, which verifies the certificate.")
