"""The commands that talk to a cluster: `dind-certs run` and `dind-certs show`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from certs.durations import parse_duration
from certs.names import service_names
from certs.objects import Names
from certs.plan import Policy
from certs.usage import BadUsage, reading

if TYPE_CHECKING:
    from certs.cluster import Cluster

Command = Callable[..., None]

# A rotation settles twice within the last third of a lifetime; three times leave room.
_SETTLES_PER_THIRD = 3
_THIRDS = 3


class NoCluster(click.ClickException):
    """The cluster cannot be reached, or does not answer as it should."""

    exit_code = os.EX_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Target:
    """What the options of both commands say."""

    names: Names
    policy: Policy
    kubeconfig: str | None

    def cluster(self) -> "Cluster":
        """Connect; the Kubernetes client is slow to load, so only here."""
        from certs.api import ClusterError, connect  # noqa: PLC0415
        from certs.cluster import Cluster  # noqa: PLC0415

        try:
            return Cluster(connect(self.kubeconfig), self.names)
        except ClusterError as error:
            raise NoCluster(str(error)) from error


def _filled(text: str) -> str:
    if not text:  # no selector would select every pod
        raise ValueError("it is empty.")
    return text


def _option(flag: str, text: str, **settings: Any) -> Callable[[Command], Command]:  # noqa: ANN401
    """Make an option that is an environment variable, too."""
    variable = "DIND_CERTS_" + flag.removeprefix("--").replace("-", "_").upper()
    if "default" not in settings:
        settings |= {"required": True, "type": reading(_filled), "metavar": "NAME"}
    return click.option(
        flag, help=text, envvar=variable, show_envvar=True, show_default=True, **settings
    )


def _duration(flag: str, default: str, text: str) -> Callable[[Command], Command]:
    kind = reading(parse_duration)
    return _option(flag, text, type=kind, metavar="DURATION", default=default)


_OPTIONS = (
    _option("--namespace", "Where the webhook is installed."),
    _option("--service", "The webhook's Service; the leaf is for its names."),
    _option("--webhook-configuration", "The MutatingWebhookConfiguration."),
    _option("--deployment", "dind-certs' own; it owns the Secrets."),
    _option("--ca-secret", "Holds the authorities; never mounted."),
    _option("--tls-secret", "Holds the leaf; the webhook mounts it."),
    _option("--selector", "Labels of the webhook's pods."),
    _option("--port", "Where these serve.", type=click.IntRange(1, 65535), default=8443),
    _duration("--settle", "120s", "How long bundle and Secret take to arrive everywhere."),
    _duration("--authority-lifetime", "365d", "Of an authority; a new one comes after two thirds."),
    _duration("--leaf-lifetime", "90d", "Of a leaf; a new one comes after two thirds."),
    _option(
        "--kubeconfig",
        "Access to the cluster; by default the pod's own, else the user's.",
        metavar="FILE",
        default=None,
    ),
)


def _target(command: Command) -> Command:
    """Give a command the options that name an installation, as one `Target`."""

    @wraps(command)
    def with_target(
        settle: timedelta,
        authority_lifetime: timedelta,
        leaf_lifetime: timedelta,
        kubeconfig: str | None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        fields = {name: options.pop(name) for name in Names.__dataclass_fields__}
        names = Names(**fields)
        _check_lifetimes(settle, authority_lifetime, leaf_lifetime)
        policy = Policy(
            service_names(names.service, names.namespace), settle, authority_lifetime, leaf_lifetime
        )
        command(Target(names, policy, kubeconfig), **options)

    wrapped: Command = with_target
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _check_lifetimes(settle: timedelta, authority: timedelta, leaf: timedelta) -> None:
    """A lifetime's last third must hold a rotation."""
    least = settle * _SETTLES_PER_THIRD * _THIRDS
    for flag, lifetime in (("--authority-lifetime", authority), ("--leaf-lifetime", leaf)):
        if lifetime < least:
            raise BadUsage(
                f"Invalid value for '{flag}': it must be at least nine times --settle, "
                f"{least.total_seconds():.0f}s, so that its last third holds a rotation."
            )


@click.command()
@_target
@_duration("--tick", "60s", "How often to look even if nothing changes.")
def run(target: Target, tick: timedelta) -> None:
    """Issue and rotate the webhook's certificates, for ever.

    Several may run at once. SIGTERM ends it.
    """
    from certs.logs import configure  # noqa: PLC0415
    from certs.rotation import Rotation  # noqa: PLC0415

    Rotation(target.cluster(), target.policy, tick, configure()).run()


@click.command()
@_target
@click.pass_context
def show(context: click.Context, target: Target) -> None:
    """Show what is stored, who signed it, when it expires, who serves it, and what comes next.

    The status is 0 where nothing is to be done, else 1.
    """
    from certs.api import ClusterError  # noqa: PLC0415
    from certs.report import report  # noqa: PLC0415

    try:
        cluster = target.cluster()
        snapshot = cluster.look(cluster.read())
    except ClusterError as error:
        raise NoCluster(f"The cluster does not answer: {error}") from error
    text, healthy = report(snapshot.now, snapshot.state, target.policy, target.names)
    click.echo(text)
    context.exit(0 if healthy else 1)
