"""`dind-webhook serve`: the service."""

import sys
from pathlib import Path
from typing import Any

import click
import uvloop

from webhook.cli.group import exits_if_not_usable
from webhook.cli.options import Decorator
from webhook.config import ConfigError
from webhook.logs import configure_logging
from webhook.serving import server
from webhook.serving.clients import ClientCAError
from webhook.serving.tls import CertificateError


def _option(flag: str, kind: Any, help_text: str, **more: Any) -> Decorator:  # noqa: ANN401 - click's
    """Declare a flag that is also an environment variable."""
    name = "DIND_WEBHOOK_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(
        flag, type=kind, envvar=name, show_envvar=True, show_default=True, help=help_text, **more
    )


_PATH = click.Path(path_type=Path)
_PORT = click.IntRange(0, 65535)


@click.command()
@_option("--config", _PATH, "Configuration file. Unset: the default configuration.")
@_option(
    "--tls-dir",
    _PATH,
    "Directory with tls.crt and tls.key, such as the mount of a Secret of type kubernetes.io/tls.",
    required=True,
)
@_option(
    "--client-ca",
    _PATH,
    "CA bundle (PEM) used to verify client certificates. Unset: clients are not authenticated.",
)
@_option(
    "--client-name", str, "Name that client certificates must have; needs --client-ca. Unset: any."
)
@_option("--host", str, "Address to listen on. Unset: every IPv4 and IPv6 address.")
@_option("--port", _PORT, "Port of the webhook (TLS). 0: any free port.", default=8443)
@_option(
    "--admin-port", _PORT, "Port of /healthz, /readyz and /metrics. 0: any free port.", default=8080
)
@_option(
    "--poll-interval",
    click.FloatRange(0.01, 60),
    "Seconds between two reads of the certificate and the configuration file.",
    default=1.0,
)
@_option(
    "--quiet-period",
    click.FloatRange(0, 60),
    "After SIGTERM, exit when no request has arrived for this many seconds.",
    default=5.0,
)
@_option(
    "--stop-deadline",
    click.FloatRange(0, 600),
    "After SIGTERM, exit after this many seconds at the latest.",
    default=25.0,
)
@_option(
    "--log-level",
    click.Choice(["debug", "info", "warning", "error"]),
    "Lowest level of the lines to log.",
    default="info",
)
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
