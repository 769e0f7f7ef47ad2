"""`dind-webhook config`: the configuration file."""

import datetime as dt
import json
import sys
from pathlib import Path

import click
from ruamel.yaml import YAML

from webhook.cli.options import config_option, read_config
from webhook.config import expired_certificates, json_schema


@click.group()
def config() -> None:
    """Check and show the configuration file."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def check(file: Path) -> None:
    """Check FILE, and report every problem in a line of its own; - reads standard input."""
    found = read_config(file)
    source = "standard input" if file == Path("-") else file
    for problem in expired_certificates(found, dt.datetime.now(dt.UTC)):
        click.echo(f"Warning: {source}: {problem}", err=True)
    names = ", ".join(found.profiles)
    click.echo(f"{source}: valid (profiles: {names}; default: {found.default_profile})")


@config.command()
@config_option
def show(config_file: Path | None) -> None:
    """Print the effective configuration, with every default, as YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # inferred from None
    data = read_config(config_file).model_dump(mode="json")
    yaml.dump(data, sys.stdout)


@config.command()
def schema() -> None:
    """Print the file's JSON Schema (draft 2020-12), for editors and CI."""
    click.echo(json.dumps(json_schema(), indent=2))
