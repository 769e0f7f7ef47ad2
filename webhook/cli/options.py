"""Options that several commands share."""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from webhook.cli.group import BadInput
from webhook.config import Config, ConfigError, parse_config, read_config_file
from webhook.config.loading import LARGEST
from webhook.config.wording import printable

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]

#: The name of a namespace.
NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_POD = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_POD_PREFIXES = ("pod/", "pods/", "po/")


def _namespace_label(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value not in (None, "true", "false"):
        raise click.BadParameter(
            f"{value!r} (accepted: 'true', 'false'). The API server treats any other value of the "
            "label as if the namespace had none."
        )
    return value


def _sources(
    context: click.Context, _: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if not value:
            raise click.BadParameter("a name is empty.")
        if value.startswith(("http://", "https://")):
            download = f"curl -fsSL URL | {context.command_path} -f -"
            raise click.BadParameter(f"{value!r} is a URL. Download it first: {download}")
    if values.count("-") > 1:
        raise click.BadParameter("- is given twice; standard input can be read once.")
    return values


def _namespace(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not NAMESPACE.fullmatch(value):
        problem = f"{value!r} (accepted: at most 63 lower-case letters, digits and inner hyphens)."
        raise click.BadParameter(problem)
    return value or None  # kubectl takes an empty one for none, too


config_option = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Configuration file. Unset: the default configuration.",
)


def combined(*options: Decorator) -> Decorator:
    """Make one decorator of several options; the help lists them in this order."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def kubeconfig_option(unset: str) -> Decorator:
    """Add the option that names a kubeconfig; `unset` says what is used without it."""
    return click.option(
        "--kubeconfig",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help=f"Kubeconfig file. Unset: {unset}.",
    )


access_options = combined(
    kubeconfig_option(
        "$KUBECONFIG; without it, the service account in a pod, and ~/.kube/config elsewhere"
    ),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
)


def namespace_option(help_text: str) -> Decorator:
    """Add the option that names a namespace."""
    return click.option("-n", "--namespace", metavar="NAME", callback=_namespace, help=help_text)


def input_options(*, required: bool, namespace_help: str) -> Decorator:
    """Add the options that name manifests and describe the cluster for them."""
    return combined(
        click.option(
            "-f",
            "--filename",
            "sources",
            required=required,
            multiple=True,
            metavar="FILE",
            type=click.Path(allow_dash=True),
            callback=_sources,
            help="Manifest, YAML or JSON, or a directory of them; repeatable. -: standard input.",
        ),
        click.option(
            "-R",
            "--recursive",
            is_flag=True,
            help="Also read the directories below those that -f names.",
        ),
        click.option(
            "--namespace-label",
            metavar="true|false",
            callback=_namespace_label,
            shell_complete=lambda *_: ["true", "false"],
            help="Assume this label dind.io/inject on every namespace. Unset: only the labels of "
            "Namespace objects in the files count.",
        ),
        namespace_option(namespace_help),
        config_option,
    )


def split_pod(argument: str) -> tuple[str, str]:
    """Split the argument POD into its prefix, such as pod/, and the rest."""
    prefix = next(filter(argument.startswith, _POD_PREFIXES), "")
    return prefix, argument.removeprefix(prefix)


def pod_name(argument: str, context: click.Context) -> str:
    """Return the name in the argument POD, which may be written as pod/POD."""
    _, name = split_pod(argument)
    if not _POD.fullmatch(name):
        problem = (
            f"{argument!r} is not a pod (accepted: POD, pod/POD; lower-case letters, digits, '-' "
            "and '.')."
        )
        raise click.UsageError(problem, context)
    return name


def read_config(path: Path | None, sources: Sequence[str] = ()) -> Config:
    """Read the configuration file, or standard input for `-`; without one, return the defaults.

    Raises:
        UsageError: it is standard input, and so is one of `sources`.
        BadInput: it is not valid.
    """
    if str(path) == "-" and "-" in sources:
        raise click.UsageError("--config - and -f - both name standard input.")
    try:
        return Config() if path is None else load_config(path)
    except ConfigError as error:
        raise BadInput(str(error)) from error


def load_config(path: Path) -> Config:
    """Read the configuration file, or standard input for `-`.

    Raises:
        ConfigError: it is not valid.
    """
    is_input = path == Path("-")
    content = sys.stdin.buffer.read(LARGEST + 1) if is_input else read_config_file(path)
    return parse_config(content, source_name(path))


def source_name(path: Path) -> str:
    """Name a file, or standard input for `-`, in messages."""
    return "standard input" if path == Path("-") else printable(str(path))
