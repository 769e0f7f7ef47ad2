"""Options of `serve` and `explain-page`, each of which is also an environment variable."""

from pathlib import Path
from typing import Any

import click

from webhook.cli.options import Decorator

PATH = click.Path(path_type=Path)


def option(flag: str, kind: Any, help_text: str, **more: Any) -> Decorator:  # noqa: ANN401 - click's
    """Declare a flag that is also an environment variable."""
    name = "DIND_WEBHOOK_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(
        flag, type=kind, envvar=name, show_envvar=True, show_default=True, help=help_text, **more
    )


def port_option(flag: str, help_text: str, default: int) -> Decorator:
    """Declare the flag of a port."""
    return option(flag, click.IntRange(0, 65535), f"{help_text} 0: any free port.", default=default)


def poll_interval_option(polled: str) -> Decorator:
    """Declare how often files are read again."""
    help_text = f"Seconds between two reads of {polled}."
    return option("--poll-interval", click.FloatRange(0.01, 60), help_text, default=1.0)


def quiet_period_option(awaited: str) -> Decorator:
    """Declare when a stopping process exits."""
    help_text = f"After SIGTERM, exit when no {awaited} has arrived for this many seconds."
    return option("--quiet-period", click.FloatRange(0, 60), help_text, default=5.0)


config_option = option("--config", PATH, "Configuration file. Unset: the default configuration.")
host_option = option("--host", str, "Address to listen on. Unset: every IPv4 and IPv6 address.")
log_level_option = option(
    "--log-level",
    click.Choice(["debug", "info", "warning", "error"]),
    "Lowest level of the lines to log.",
    default="info",
)
