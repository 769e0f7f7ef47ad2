"""`dind-webhook config`: the operator's file."""

import json
from pathlib import Path

import click
import msgspec

from webhook import operator
from webhook.cli.group import BadInput, Group
from webhook.cli.manifests.blocks import block
from webhook.cli.options import config_option, read_config

_FILE = click.Path(path_type=Path)


@click.group(cls=Group)
def config() -> None:
    """Check and show the operator's file."""


@config.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Say whether FILE is valid, and if not, what is wrong where."""
    try:
        found = operator.read(file)
    except operator.ConfigError as error:
        raise BadInput(str(error)) from error
    names = ", ".join(found.profiles)
    click.echo(f"{file}: valid (profiles: {names}; default: {found.default_profile})")


@config.command()
@config_option
def show(config_file: Path | None) -> None:
    """Print the effective configuration, with every default, as YAML."""
    data = msgspec.json.decode(msgspec.json.encode(read_config(config_file)))
    click.echo("\n".join(block(data, dash=2)))


@config.command()
def schema() -> None:
    """Print the file's JSON Schema (draft 2020-12), for editors and CI."""
    click.echo(json.dumps(operator.schema(), indent=2))
