import datetime as dt
import json
from pathlib import Path

import pytest
from cli.running import run
from unit.config.authorities import authority

from webhook.config import Config, json_schema, parse_config, read_config_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("defaultProfile: fast\nprofiles:\n  fast:\n    startTimeout: 5\n")
    return path


def test_a_good_file_is_one_line_and_status_0(file: Path) -> None:
    result = run("config", "check", file)
    assert result.exit_code == 0
    assert result.stdout == f"{file}: valid (profiles: fast; default: fast)\n"
    assert result.stderr == ""


def test_a_bad_file_gets_a_line_for_each_problem_and_status_65(file: Path) -> None:
    file.write_text("profiles: {fast: {daemon: {mtu: 9}, startTimeout: 0}}")
    result = run("config", "check", file)
    assert result.exit_code == 65
    assert result.stdout == ""
    assert result.stderr == (
        f'Error: {file}: profiles.fast.daemon.mtu: 9 is not "auto" or a whole number from 576 to '
        f"65535\n{file}: profiles.fast.startTimeout: 0 is not a whole number from 1 to 600\n"
    )


def test_an_expired_ca_is_a_warning(file: Path) -> None:
    ca = authority("Old CA", dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    file.write_text(json.dumps({"profiles": {"a": {"caCertificates": ca}}}))
    result = run("config", "check", file)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{file}: valid")
    assert result.stderr == (
        f'Warning: {file}: profiles.a.caCertificates: the certificate "CN=Old CA" expired on '
        "2020-01-01\n"
    )


def test_standard_input_is_checked_too() -> None:
    good = run("config", "check", "-", stdin="profiles: {fast: {}}")
    assert good.exit_code == 0
    assert good.stdout == "standard input: valid (profiles: fast, default; default: default)\n"
    bad = run("config", "check", "-", stdin="profile: {}")
    assert bad.exit_code == 65
    assert bad.stderr.startswith("Error: standard input: profile: unknown key")


def test_a_missing_file_is_named() -> None:
    result = run("config", "check", "nowhere.yaml")
    assert result.exit_code == 65
    assert result.stderr == "Error: nowhere.yaml: cannot be read: No such file or directory\n"


@pytest.mark.parametrize("command", ["show", "inject", "explain"])
def test_every_command_tells_what_is_wrong_with_the_file(command: str, file: Path) -> None:
    file.write_text("profile: {}")
    arguments = ["config", "show"] if command == "show" else [command, "-f", "-"]
    result = run(*arguments, "--config", file)
    assert result.exit_code == 65
    assert 'profile: unknown key, did you mean "profiles"?' in result.stderr
    assert result.stdout == ""


def test_the_defaults_are_shown_and_load_back_equal() -> None:
    shown = run("config", "show").stdout
    assert "\n    startTimeout: 60\n" in shown
    assert parse_config(shown.encode(), "shown") == Config()


def test_a_file_is_shown_with_its_defaults_and_loads_back_equal(file: Path) -> None:
    shown = run("config", "show", "--config", file).stdout
    assert "    mode: sidecar\n" in shown
    assert parse_config(shown.encode(), "shown") == parse_config(read_config_file(file), "file")


def test_the_schema_is_json() -> None:
    assert json.loads(run("config", "schema").stdout) == json_schema()
