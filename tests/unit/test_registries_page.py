"""The examples of docs/administrators/registries.md are valid, and do what the page says."""

import datetime as dt
import json
import re
import tomllib
from typing import Any

import pytest
from pages import ROOT
from ruamel.yaml import YAML
from unit.config.authorities import authority

from webhook.config import parse_config
from webhook.config.certificates import LARGEST_FILE
from webhook.injection.daemon_files import hosts_toml

PAGE = (ROOT / "docs/administrators/registries.md").read_text(encoding="utf-8")
CA = authority("Example CA", dt.datetime(2126, 1, 1, tzinfo=dt.UTC))
PLACEHOLDER = re.compile(r"-----BEGIN CERTIFICATE-----\n\(.*\)\n-----END CERTIFICATE-----\n")
BLOCKS: list[Any] = [
    YAML(typ="safe").load(block)
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]
CONFIGURATIONS = [block["config"] for block in BLOCKS if "config" in block]


def with_certificates(value: Any) -> Any:
    """The same with a CA certificate in place of the page's placeholders."""
    match value:
        case dict():
            return {key: with_certificates(each) for key, each in value.items()}
        case list():
            return [with_certificates(each) for each in value]
        case str():
            return PLACEHOLDER.sub(CA, value)
        case _:
            return value


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_each_example_is_a_valid_configuration(number: int) -> None:
    file = json.dumps(with_certificates(CONFIGURATIONS[number])).encode()
    config = parse_config(file, "the example")
    for host, registry in config.profiles["default"].registries.items():
        tomllib.loads(hosts_toml(host, registry))


def test_the_example_for_the_node_has_the_capabilities_of_a_sidecar_s_mirror() -> None:
    (node,) = (block["node"] for block in BLOCKS if "node" in block)
    written = tomllib.loads(node["files"]["/etc/docker/certs.d/docker.io/hosts.toml"])
    config = parse_config(json.dumps(CONFIGURATIONS[0]).encode(), "the example")
    registry = config.profiles["default"].registries["docker.io"]
    assert written == tomllib.loads(hosts_toml("docker.io", registry))


def test_the_bound_on_a_file_is_that_of_the_code() -> None:
    assert f"{LARGEST_FILE:,} bytes" in PAGE
