"""The commands that talk to a cluster: `dind-certs run` and `dind-certs show`."""

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from certs import loop
from certs.cluster import Cluster
from certs.issuing import service_names
from certs.model import Names, RotationPolicy
from certs.show import report
from webhook.cli.group import BadUsage
from webhook.cli.live import Unavailable
from webhook.cli.options import Decorator, combined
from webhook.cluster.client import ClusterError, connect
from webhook.logs import configure_logging

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(rf"([0-9]{{1,6}})([{''.join(_UNITS)}])")
_LONGEST = timedelta(days=3650)
# In the last third of a lifetime, a rotation waits for propagation twice; three delays are enough.
_DELAYS_PER_LIFETIME = 3 * 3

# Every option is an environment variable, too, such as DIND_CERTS_CA_SECRET.
_command = partial(
    click.command, context_settings={"auto_envvar_prefix": "DIND_CERTS", "show_default": True}
)
_option = partial(click.option, show_envvar=True)


def parse_duration(text: str) -> timedelta:
    """Parse a duration of at least one second, and at most ten years."""
    match = _DURATION.fullmatch(text)
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < duration <= _LONGEST:
        raise click.BadParameter(
            f"{text!r} is not a duration (accepted: a whole number and a unit, from 1s to "
            f"{_LONGEST.days}d, such as 20s, 30m, 12h, 90d)."
        )
    return duration


def _parse_name(text: str) -> str:
    if not text:  # an empty selector would select every pod
        raise click.BadParameter("it is empty.")
    return text


def _name(flag: str, text: str) -> Decorator:
    return _option(flag, help=text, type=_parse_name, metavar="NAME", required=True)


def _duration(flag: str, default: str, text: str) -> Decorator:
    return _option(flag, help=text, type=parse_duration, metavar="DURATION", default=default)


_installation_options = combined(
    _name("--namespace", "Namespace of the webhook."),
    _name("--service", "Service of the webhook; the serving certificate is for its names."),
    _name("--webhook-configuration", "MutatingWebhookConfiguration whose caBundle is published."),
    _name("--deployment", "Deployment of dind-certs; it owns the two Secrets."),
    _name("--ca-secret", "Secret of the CAs and their keys; never mounted."),
    _name("--tls-secret", "Secret of the serving certificate; the webhook mounts it."),
    _name("--selector", "Label selector of the webhook's pods."),
    _option(
        "--port", help="Port on which these serve.", type=click.IntRange(1, 65535), default=8443
    ),
    _duration(
        "--propagation-delay",
        "120s",
        "How long a caBundle takes to reach every API server, and a Secret every replica.",
    ),
    _duration("--ca-lifetime", "365d", "Lifetime of a CA; replaced after two thirds of it."),
    _duration(
        "--serving-certificate-lifetime",
        "90d",
        "Lifetime of a serving certificate; replaced after two thirds of it.",
    ),
    _option(
        "--kubeconfig",
        help="Kubeconfig file. Unset: the pod's service account, else the user's kubeconfig.",
        type=click.Path(path_type=Path),
        metavar="FILE",
    ),
)


@_command()
@_installation_options
@_duration("--resync-interval", "60s", "How often to read the objects even if nothing changes.")
def run(kubeconfig: Path | None, resync_interval: timedelta, **options: Any) -> None:  # noqa: ANN401
    """Issue and rotate the webhook's certificates until SIGTERM.

    Several processes can run at once.
    """
    names, policy = _names_and_policy(**options)
    cluster = _open_cluster(kubeconfig, names)
    loop.Rotation(cluster, policy, resync_interval, configure_logging()).run()


@_command()
@_installation_options
@click.pass_context
def show(context: click.Context, /, kubeconfig: Path | None, **options: Any) -> None:  # noqa: ANN401
    """Show what is stored, who signed it, when it expires, who serves it, and what comes next.

    Exits with 0 if nothing is to be done, else with 1.
    """
    names, policy = _names_and_policy(**options)
    cluster = _open_cluster(kubeconfig, names)
    try:
        snapshot = cluster.probe(cluster.read())
    except ClusterError as error:
        raise Unavailable(f"The request to the API server failed: {error}") from error
    text, healthy = report(snapshot.now, snapshot.state, policy, names)
    click.echo(text)
    context.exit(0 if healthy else 1)


def _names_and_policy(
    propagation_delay: timedelta,
    ca_lifetime: timedelta,
    serving_certificate_lifetime: timedelta,
    **names: Any,  # noqa: ANN401
) -> tuple[Names, RotationPolicy]:
    """Check the options that commands share; a lifetime's last third must hold a rotation."""
    policy = RotationPolicy(
        service_names(names["service"], names["namespace"]),
        propagation_delay,
        ca_lifetime,
        serving_certificate_lifetime,
    )
    least = policy.delay_from_date * _DELAYS_PER_LIFETIME
    for flag, lifetime in (
        ("--ca-lifetime", ca_lifetime),
        ("--serving-certificate-lifetime", serving_certificate_lifetime),
    ):
        if lifetime < least:
            raise BadUsage(
                f"Invalid value for '{flag}': with this --propagation-delay it must be at least "
                f"{least.total_seconds():.0f}s, so that its last third holds a rotation."
            )
    return Names(**names), policy


def _open_cluster(kubeconfig: Path | None, names: Names) -> Cluster:
    """Make the client; nothing is sent yet."""
    try:
        return Cluster(connect(kubeconfig), names)
    except ClusterError as error:
        raise Unavailable(str(error)) from error
