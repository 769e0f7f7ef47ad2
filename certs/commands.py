"""The commands that talk to a cluster: `dind-certs run` and `dind-certs show`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click

from certs import rotation
from certs.cluster import Cluster
from certs.issuing import service_names
from certs.parameters import parse_duration, parsed_by
from certs.propagation import CLOCK_RESOLUTION
from certs.report import report
from certs.state import Names, RotationPolicy
from webhook.cli.group import BadUsage
from webhook.cli.options import Decorator, combined
from webhook.cluster.client import ClusterError, connect
from webhook.logs import configure_logging

Command = Callable[..., None]

# In the last third of a lifetime, a rotation waits for propagation twice; three delays are enough.
_DELAYS_PER_THIRD = 3
_THIRDS = 3


class NoCluster(click.ClickException):
    """The cluster cannot be reached, or does not answer as it should."""

    exit_code = os.EX_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Target:
    """The options of both commands."""

    names: Names
    policy: RotationPolicy
    kubeconfig: Path | None

    def cluster(self) -> Cluster:
        """Make the client; nothing is sent yet."""
        try:
            return Cluster(connect(self.kubeconfig), self.names)
        except ClusterError as error:
            raise NoCluster(str(error)) from error


def _not_empty(text: str) -> str:
    if not text:  # an empty selector would select every pod
        raise ValueError("it is empty.")
    return text


def _option(flag: str, text: str, **settings: Any) -> Decorator:  # noqa: ANN401
    """Make an option that is an environment variable, too."""
    variable = "DIND_CERTS_" + flag.removeprefix("--").replace("-", "_").upper()
    if "default" not in settings:
        settings |= {"required": True, "type": parsed_by(_not_empty), "metavar": "NAME"}
    return click.option(
        flag, help=text, envvar=variable, show_envvar=True, show_default=True, **settings
    )


def _duration(flag: str, default: str, text: str) -> Decorator:
    kind = parsed_by(parse_duration)
    return _option(flag, text, type=kind, metavar="DURATION", default=default)


_OPTIONS = (
    _option("--namespace", "Namespace of the webhook."),
    _option("--service", "Service of the webhook; the serving certificate is for its names."),
    _option("--webhook-configuration", "MutatingWebhookConfiguration whose caBundle is published."),
    _option("--deployment", "Deployment of dind-certs; it owns the two Secrets."),
    _option("--ca-secret", "Secret of the CAs and their keys; never mounted."),
    _option("--tls-secret", "Secret of the serving certificate; the webhook mounts it."),
    _option("--selector", "Label selector of the webhook's pods."),
    _option("--port", "Port on which these serve.", type=click.IntRange(1, 65535), default=8443),
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
        "Kubeconfig file. Unset: the pod's service account, else the user's kubeconfig.",
        type=click.Path(path_type=Path),
        metavar="FILE",
        default=None,
    ),
)


def _target_options(command: Command) -> Command:
    """Give a command the options that name an installation, as one `Target`."""

    @wraps(command)
    def with_target(
        propagation_delay: timedelta,
        ca_lifetime: timedelta,
        serving_certificate_lifetime: timedelta,
        kubeconfig: Path | None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        fields = {name: options.pop(name) for name in Names.__dataclass_fields__}
        names = Names(**fields)
        policy = RotationPolicy(
            service_names(names.service, names.namespace),
            propagation_delay,
            ca_lifetime,
            serving_certificate_lifetime,
        )
        _check_lifetimes(policy)
        command(Target(names, policy, kubeconfig), **options)

    return combined(*_OPTIONS)(with_target)


def _check_lifetimes(policy: RotationPolicy) -> None:
    """Reject a lifetime whose last third cannot hold a rotation."""
    least = (policy.propagation_delay + CLOCK_RESOLUTION) * _DELAYS_PER_THIRD * _THIRDS
    for flag, lifetime in (
        ("--ca-lifetime", policy.ca_lifetime),
        ("--serving-certificate-lifetime", policy.serving_lifetime),
    ):
        if lifetime < least:
            raise BadUsage(
                f"Invalid value for '{flag}': with this --propagation-delay it must be at least "
                f"{least.total_seconds():.0f}s, so that its last third holds a rotation."
            )


@click.command()
@_target_options
@_duration("--resync-interval", "60s", "How often to read the objects even if nothing changes.")
def run(target: Target, resync_interval: timedelta) -> None:
    """Issue and rotate the webhook's certificates until SIGTERM.

    Several processes can run at once.
    """
    rotation.Rotation(target.cluster(), target.policy, resync_interval, configure_logging()).run()


@click.command()
@_target_options
@click.pass_context
def show(context: click.Context, target: Target) -> None:
    """Show what is stored, who signed it, when it expires, who serves it, and what comes next.

    Exits with 0 if nothing is to be done, else with 1.
    """
    try:
        cluster = target.cluster()
        snapshot = cluster.probe(cluster.read())
    except ClusterError as error:
        raise NoCluster(f"The request to the API server failed: {error}") from error
    text, healthy = report(snapshot.now, snapshot.state, target.policy, target.names)
    click.echo(text)
    context.exit(0 if healthy else 1)
