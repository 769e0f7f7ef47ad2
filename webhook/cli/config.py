"""`dind-webhook config`: the configuration file."""

import datetime as dt
import json
import sys
from pathlib import Path

import click
from ruamel.yaml import YAML

from webhook.cli.group import BadInput
from webhook.cli.json_output import ConfigOutput, output_option, print_json
from webhook.cli.options import config_option, load_config, read_config, source_name
from webhook.config import ConfigError, expired_certificates, json_schema


@click.group()
def config() -> None:
    """Check and show the configuration file."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@output_option
@click.pass_context
def check(context_of_click: click.Context, file: Path, output: str) -> None:
    """Check FILE and report every problem on its own line. -: standard input.

    Exit code: 0 the file is valid, 65 it is not.
    """
    source = source_name(file)
    try:
        found = load_config(file)
    except ConfigError as error:
        if output == "text":
            raise BadInput(str(error)) from error
        print_json(ConfigOutput(source, False, error.problems, [], [], None))
        context_of_click.exit(BadInput.exit_code)
    warnings = list(expired_certificates(found, dt.datetime.now(dt.UTC)))
    profiles = list(found.profiles)
    if output == "json":
        print_json(ConfigOutput(source, True, [], warnings, profiles, found.default_profile))
        return
    for problem in warnings:
        click.echo(f"Warning: {source}: {problem}", err=True)
    names = ", ".join(profiles)
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
