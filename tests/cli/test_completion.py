"""Completion in shells, and of `kubectl dind`."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cli.inside.api_server import KUBECONFIG, World, made, served
from cli.running import PROGRAMS, run

from tools.build import ensure
from webhook.cli import COMMANDS, main
from webhook.cli.completion import complete

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    "PYTHONPATH": os.pathsep.join(sys.path),
}
CALLED = "from webhook.cli.completion import complete_for_kubectl as complete; complete()"


def _completed(*words: str) -> list[str]:
    return list(complete(main, words))


def test_commands_are_completed_with_their_help_and_without_files() -> None:
    assert _completed("ex") == ["explain\tExplain why pods are injected or not.", ":4"]


def test_commands_that_kubectl_hides_are_not_offered() -> None:
    names = {line.partition("\t")[0] for line in _completed("")}
    hidden = {name for name, c in COMMANDS.items() if c.hidden or c.hidden_in_kubectl}
    assert names == (set(COMMANDS) - hidden) | {":4"}
    assert "serve" in hidden


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("explain -o j", ["json", ":4"]),
        ("explain -o ", ["text", "json", ":4"]),
        ("completion z", ["zsh", ":4"]),
        ("explain -f ", [":0"]),
        ("explain --kubeconfig a", [":0"]),
        ("config sh", ["show", ":4"]),
        ("explain --namespace-label ", ["true", "false", ":4"]),
        ("explain --namespace ", [":4"]),
        ("check --kube", ["--kubeconfig", ":4"]),
    ],
)
def test_values_are_completed_or_left_to_the_shell(line: str, expected: list[str]) -> None:
    """Directive 0 lets the shell complete files, and 4 keeps it from doing so."""
    found = _completed(*line.split(" "))
    assert [text.partition("\t")[0] for text in found] == expected


@pytest.mark.parametrize("words", [[], ["nothing", "--bogus", ""], ["explain", "-o", "x", ""]])
def test_words_that_make_no_sense_are_no_error(words: list[str]) -> None:
    assert _completed(*words)[-1] == ":4"


def test_pods_are_not_completed_without_a_cluster(tmp_path: Path) -> None:
    assert _completed("explain", "--kubeconfig", str(tmp_path / "missing"), "") == [":4"]


@pytest.mark.parametrize("command", ["explain", "ps", "images", "df", "top", "logs"])
def test_pods_are_completed(command: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    with served(World(made())) as port:
        path.write_text(KUBECONFIG.format(port=port))
        words = [command, "--kubeconfig", str(path), "--namespace", "ci"]
        assert _completed(*words, "jo") == ["job", ":4"]
        assert _completed(*words, "pod/jo") == ["pod/job", ":4"]
        assert _completed(*words, "other") == [":4"]


def test_completing_commands_imports_none_of_them() -> None:
    code = f"import sys\n{CALLED}\nprint([n for n in sys.modules if n.startswith('kubernetes')])"
    ended = subprocess.run(
        [sys.executable, "-c", code, ""], capture_output=True, text=True, check=True
    )
    assert ended.stdout.splitlines()[-2:] == [":4", "[]"]


def test_the_program_has_the_name_that_kubectl_looks_for() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["kubectl_complete-dind"] == "webhook.cli.completion:complete_for_kubectl"


@pytest.mark.tools("kubectl")
def test_kubectl_takes_the_completions(tmp_path: Path) -> None:
    program = tmp_path / "kubectl_complete-dind"
    program.write_text(f"#!{sys.executable}\n{CALLED}\n")
    program.chmod(0o755)
    ended = subprocess.run(
        [ensure("kubectl"), "__complete", "dind", "explain", "-o", "j"],
        capture_output=True,
        text=True,
        check=True,
        env={**ENVIRONMENT, "PATH": f"{tmp_path}{os.pathsep}{ENVIRONMENT['PATH']}"},
    )
    assert ended.stdout == "json\n:4\n"
    assert "ShellCompDirectiveNoFileComp" in ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_for_dind_webhook(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_DIND_WEBHOOK_COMPLETE={shell}_complete" in result.stdout
    assert "dind-webhook" in result.stdout


def test_the_script_completes_in_bash() -> None:
    script = f"""
{run("completion", "bash").stdout}
COMP_WORDS=(dind-webhook comp) COMP_CWORD=1
_dind_webhook_completion dind-webhook
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ended = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert ended.stdout == "completion\n"


def test_an_unknown_shell_is_refused() -> None:
    result = run("completion", "tcsh")
    assert result.exit_code == 64
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'." in result.stderr
