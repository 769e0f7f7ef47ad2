"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook.cli.group import BadInput
from webhook.config import Config, ConfigError, parse_config, read_config_file

Function = TypeVar("Function", bound=Callable[..., Any])


def _namespace_label(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value not in (None, "true", "false"):
        raise click.BadParameter(
            f"it is {value!r}; allowed are 'true' and 'false'. To the API server, a namespace with "
            "any other value is one without the label."
        )
    return value


config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Configuration file. Unset: every setting has its default.",
)
_ASSUMED = (
    click.option(
        "--namespace-label",
        metavar="true|false",
        callback=_namespace_label,
        help="The namespace's label dind.io/inject; without it, the namespace has none.",
    ),
    click.option(
        "-n",
        "--namespace",
        metavar="NAME",
        default="default",
        show_default=True,
        help="The namespace of objects that name none.",
    ),
    config_option,
)


def input_options(*, required: bool) -> Callable[[Function], Function]:
    """Give a command the options for manifests and how they are meant.

    Args:
        required: there is no other input.
    """
    source = click.option(
        "-f",
        "--filename",
        "source",
        required=required,
        metavar="FILE",
        help="Manifests, YAML or JSON; - reads standard input.",
    )

    def decorate(function: Function) -> Function:
        for option in reversed((source, *_ASSUMED)):
            function = option(function)
        return function

    return decorate


def read_config(path: Path | None) -> Config:
    """Read the configuration file, or take the defaults.

    Raises:
        BadInput: it is not valid.
    """
    if path is None:
        return Config()
    try:
        return parse_config(read_config_file(path), str(path))
    except ConfigError as error:
        raise BadInput(str(error)) from error
