"""The program itself: its names, its help, its exit codes, and what it loads."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.running import POD, PROGRAMS, run, run_installed

from webhook import __version__
from webhook.cli import COMMANDS

HEAVY = ("certs", "cryptography", "fastapi", "jsonpatch", "kubernetes", "rich", "ruamel", "uvicorn")
LOADED = """
import sys
from webhook.cli import main
main({arguments!r}, standalone_mode=False)
print(*sorted({heavy!r} & {{name.partition(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> list[str]:
    """Heavy packages that a command has loaded by its end."""
    code = LOADED.format(arguments=list(arguments), heavy=set(HEAVY))
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, input=POD, capture_output=True, text=True, check=True)
    return ended.stderr.splitlines()[-1].split()


@pytest.mark.parametrize(
    ("program", "name"), [("dind-webhook", "dind-webhook"), ("kubectl-dind", "kubectl dind")]
)
def test_the_help_names_the_program_that_was_called(program: str, name: str) -> None:
    assert run_installed(program, "--help").stdout.startswith(f"Usage: {name} [OPTIONS] COMMAND")
    assert run_installed(program, "--version").stdout == f"{name} {__version__}\n"
    explain = run_installed(program, "explain", "--help").stdout
    assert explain.startswith(f"Usage: {name} explain [OPTIONS] [POD]")
    assert f"\n    {name} explain -f pod.yaml\n" in explain
    assert f"\nTry '{name} explain --help'." in run_installed(program, "explain").stderr


def test_kubectl_does_not_list_the_service() -> None:
    assert "\n  serve " in run_installed("dind-webhook", "--help").stdout
    assert "\n  serve " not in run_installed("kubectl-dind", "--help").stdout
    assert run_installed("kubectl-dind", "serve", "--help").returncode == 0


def test_the_installed_program_injects_and_explains() -> None:
    injected = run_installed("kubectl-dind", "inject", "-f", "-")
    assert injected.returncode == 0
    assert injected.stderr == "pod/clean-ci: injected (profile default, mode sidecar)\n"
    assert "- name: dind\n" in injected.stdout
    explained = run_installed("kubectl-dind", "explain", "-f", "-")
    assert explained.returncode == 0
    assert "\nDecided by: all checks passed\n" in explained.stdout


def test_the_help_lists_every_command_and_exit_code() -> None:
    text = run("--help").stdout
    for name, command in COMMANDS.items():
        assert (f"  {name} " in text) is not command.hidden
        assert (command.help in text) is not command.hidden
    for code in (0, 1, 2, 64, 65, 66, 69, 70, 74, 77, 78, 130):
        assert f"\n    {code} " in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_a_help(name: str, flag: str) -> None:
    result = run(name, flag)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: dind-webhook {name} ")


def test_the_help_of_explain_has_examples_for_files_and_for_a_cluster() -> None:
    text = run("explain", "--help").stdout
    assert "\n    dind-webhook explain -f job.yaml --namespace-label true\n" in text
    assert "\n    dind-webhook explain build-1 -n ci\n" in text
    assert "kube-system, kube-public and kube-node-lease" in " ".join(text.split())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("inject", "Namespace of objects that name none. Unset: the kubeconfig context's."),
        (
            "explain",
            (
                "Namespace of POD, or of objects in FILE that name none. Unset: the kubeconfig "
                "context's."
            ),
        ),
    ],
)
def test_the_help_of_namespace_is_that_of_the_command(command: str, expected: str) -> None:
    assert expected in " ".join(run(command, "--help").stdout.split())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["inject"], "Missing option '-f' / '--filename'."),
        (["explain"], "Give either POD or -f FILE."),
        (["explain", "pod", "-f", "-"], "Give either POD or -f FILE."),
        (["explain", "pod", "--namespace-label", "true"], "--namespace-label needs -f;"),
        (["explain", "pod", "-R"], "-R needs -f."),
        (["explain", "-f", "-", "-n", "a/b"], "'a/b' (accepted: at most 63 lower-case letters, "),
        (["ps", "job", "-n", ".."], "'..' (accepted: at most 63 lower-case letters, "),
        *(
            ([command, pod], f"'{pod}' is not a pod (accepted: POD, pod/POD; lower-case letters, ")
            for command in ("explain", "ps", "logs")
            for pod in ("", ".", "..", "Job", "pod/", "pod/a/b", "job/a", "pod/pod/a", "a?b")
        ),
        (["check", "-o", "yaml"], "'yaml' is not one of 'text', 'json'."),
        (["explain", "--bogus"], "No such option '--bogus'."),
        (["inject", "-f", "-", "-o", "xml"], "'xml' is not one of 'yaml', 'json', 'patch'."),
        (["config", "check"], "Missing argument 'FILE'."),
        (["injekt"], "No such command 'injekt'."),
        (
            ["explain", "-f", "-", "--namespace-label", "True"],
            (
                "'True' (accepted: 'true', 'false'). The API server treats any other value of the "
                "label as if the namespace had none."
            ),
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_exit_code_64(arguments: list[str], expected: str) -> None:
    """Exit code 2, which click would give, means that a pod is denied."""
    result = run(*arguments)
    assert result.exit_code == 64
    assert expected in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Try 'dind-webhook")
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [[], ["config"]], ids=["dind-webhook", "config"])
def test_no_command_shows_the_help(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 64
    assert "Commands:" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], []),
        (["config", "schema"], ["ruamel"]),
        (["config", "show"], ["ruamel"]),
        (["inject", "-f", "-"], ["jsonpatch", "ruamel"]),
        (["explain", "-f", "-"], ["rich"]),
        (["check", "--help"], ["certs", "cryptography", "kubernetes", "rich"]),
        (["serve", "--help"], None),
    ],
    ids=lambda value: " ".join(value or []),
)
def test_a_command_loads_what_it_needs(arguments: list[str], expected: list[str] | None) -> None:
    loaded = loaded_by(*arguments)
    if expected is None:
        # structlog imports rich where it finds it.
        assert not set(loaded) & {"certs", "jsonpatch", "kubernetes"}
    else:
        assert loaded == expected


@pytest.mark.parametrize(
    "arguments",
    [["explain", "-f", "-"], ["inject", "-f", "-"], ["--help"], ["config", "show"]],
    ids=" ".join,
)
def test_a_full_disk_is_one_line_and_exit_code_74(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [PROGRAMS / "dind-webhook", *arguments],
            input=POD,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 74
    assert ended.stderr.splitlines()[-1] == (
        "Error: cannot write the output: No space left on device"
    )
    assert "Traceback" not in ended.stderr


def test_text_that_the_encoding_lacks_is_one_line_and_exit_code_74() -> None:
    ended = subprocess.run(
        [PROGRAMS / "dind-webhook", "explain", "-f", "-"],
        input=POD.replace("clean-ci", "\u69cb").encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert ended.returncode == 74
    assert ended.stderr == (
        b"Error: cannot write the output: its encoding, latin-1, lacks '\\u69cb'; use UTF-8\n"
    )


def test_a_closed_pipe_is_silent() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [PROGRAMS / "dind-webhook", "explain", "-f", "-"],
        input=POD,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (74, "")


def test_an_interruption_is_silent_and_exit_code_130(tmp_path: Path) -> None:
    pipe = tmp_path / "pod.yaml"
    os.mkfifo(pipe)
    # A shell starts background processes, such as these tests, with SIGINT ignored.
    command = [
        "env",
        "--default-signal=INT",
        str(PROGRAMS / "dind-webhook"),
        "explain",
        "-f",
        str(pipe),
    ]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
        pipe.open("w"),  # which waits for the reader
    ):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (130, "")


def test_a_defect_is_exit_code_70(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, which Python would give, means that a pod is skipped."""

    def fail() -> None:
        raise LookupError("lost")

    monkeypatch.setattr("webhook.cli.config.json_schema", fail)
    result = run("config", "schema")
    assert (result.exit_code, result.stdout) == (70, "")
    assert result.stderr.splitlines()[-2:] == [
        "LookupError: lost",
        "Error: this is a defect; report it with the lines above",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("explain -f - <&-", (65, "Error: standard input: no Kubernetes object\n")),
        ("explain -f missing.yaml 2>&-", (65, "")),
        ("explain -f - >&-", (0, "")),
    ],
)
def test_standard_streams_may_be_closed(line: str, expected: tuple[int, str]) -> None:
    ended = subprocess.run(
        ["sh", "-c", f"{PROGRAMS}/dind-webhook {line}"],
        input=POD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == expected


def test_importing_the_group_imports_no_command() -> None:
    code = (
        "import sys, webhook.cli.group; print(*sorted(n for n in sys.modules if 'webhook.' in n))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["webhook.cli", "webhook.cli.group"]
