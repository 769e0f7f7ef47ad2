"""Bad usage of the commands that talk to a cluster; what they do is tested on a real API server."""

import os

import pytest
from click.testing import CliRunner

from certs.cli import main

NAMED = {
    "namespace": "ci",
    "service": "hook",
    "webhook-configuration": "hook",
    "deployment": "hook-certs",
    "ca-secret": "hook-ca",
    "tls-secret": "hook-tls",
    "selector": "app=hook",
}
DURATION_RULE = (
    "is not a duration (accepted: a whole number and a unit, from 1s to 3650d, such as 20s, 30m, "
    "12h, 90d)."
)
SHORT = (
    "with this --propagation-delay it must be at least {}s, so that its last third holds a "
    "rotation."
)

SHORT_CA = ("ca-lifetime", SHORT.format(5409))


def flags(**changed: str) -> list[str]:
    values = NAMED | {name.replace("_", "-"): value for name, value in changed.items()}
    return [f"--{name}={value}" for name, value in values.items()]


@pytest.mark.parametrize("command", ["run", "show"])
@pytest.mark.parametrize(
    ("changed", "flag", "why"),
    [
        ({"propagation_delay": "2 min"}, "propagation-delay", f"'2 min' {DURATION_RULE}"),
        ({"selector": ""}, "selector", "it is empty."),
        ({"port": "0"}, "port", "0 is not in the range 1<=x<=65535."),
        (
            {"serving_certificate_lifetime": "18m"},
            "serving-certificate-lifetime",
            SHORT.format(1089),
        ),
        ({"propagation_delay": "10m", "ca_lifetime": "90m"}, *SHORT_CA),
    ],
    ids=["duration", "empty-name", "port", "short-serving-certificate", "short-ca"],
)
def test_bad_usage_is_one_sentence(
    command: str, changed: dict[str, str], flag: str, why: str
) -> None:
    result = CliRunner().invoke(main, [command, *flags(**changed)])
    assert result.stdout == ""
    message, _, hint = result.stderr.partition("\n")
    assert message.startswith(f"Error: Invalid value for '--{flag}'")
    assert message.endswith(f": {why}")
    assert hint in ("", f"Try 'dind-certs {command} --help'.\n")
    assert result.exit_code == os.EX_USAGE


@pytest.mark.parametrize("missing", NAMED)
def test_a_missing_name_is_named(missing: str) -> None:
    given = [flag for flag in flags() if not flag.startswith(f"--{missing}=")]
    result = CliRunner().invoke(main, ["show", *given])
    assert result.stderr.startswith(f"Error: Missing option '--{missing}'")
    assert result.exit_code == os.EX_USAGE


def test_every_option_is_an_environment_variable_too(tmp_path: os.PathLike[str]) -> None:
    environment = {
        f"DIND_CERTS_{name.replace('-', '_').upper()}": value for name, value in NAMED.items()
    }
    environment |= {"DIND_CERTS_KUBECONFIG": os.fspath(tmp_path) + "/missing"}
    result = CliRunner().invoke(main, ["show"], env=environment)
    assert result.stderr.startswith("Error: no access to a cluster: ")
    assert result.exit_code == os.EX_UNAVAILABLE
