"""`dind-webhook completion`, and the completions of `kubectl dind`."""

import sys
from collections.abc import Iterator, Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from webhook.cli.group import KUBECTL
from webhook.cli.options import split_pod
from webhook.config.wording import printable

# Directives of cobra, kubectl's command line: https://pkg.go.dev/github.com/spf13/cobra
_FILES = 0
_NO_FILES = 4
_DIRECTORIES = 16

_PROGRAM = "dind-webhook"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of dind-webhook for a shell.

    \b
    Examples:
      source <(dind-webhook completion bash)      in ~/.bashrc
      source <(dind-webhook completion zsh)       in ~/.zshrc, after compinit
      dind-webhook completion fish | source       in ~/.config/fish/config.fish

    kubectl completes `kubectl dind` itself: it runs kubectl_complete-dind, which is installed with
    this command and must be in PATH.
    """  # noqa: D301 - \b is click's mark of a paragraph that it does not wrap
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has these three
    variable = f"_{_PROGRAM.replace('-', '_')}_complete".upper()
    click.echo(kind(context.find_root().command, {}, _PROGRAM, variable).source(), nl=False)


def complete_for_kubectl() -> None:
    """Print completions as kubectl expects them of kubectl_complete-dind.

    The arguments are the words after `kubectl dind`; the last one is to be completed, and may be
    empty. Each line is a completion, a tab and its description; the last is `:` and a directive.
    """
    from webhook.cli import main  # noqa: PLC0415 - which imports this module by name

    print("\n".join(complete(main, sys.argv[1:])))  # noqa: T201


def complete_pods(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete POD or pod/POD in the namespace of the options; without a cluster, nothing."""
    from webhook.cli.live import LiveCluster  # noqa: PLC0415 - imports the Kubernetes client

    options = context.params
    prefix, begin = split_pod(incomplete)
    try:
        cluster = LiveCluster(options.get("kubeconfig"), options.get("context"))
        pods = cluster.pods(options.get("namespace") or cluster.namespace_of_context, "")
    except click.ClickException:
        return []
    names = sorted(printable(pod.metadata.name) for pod in pods)
    return [CompletionItem(f"{prefix}{name}") for name in names if name.startswith(begin)]


def complete(program: click.Command, words: Sequence[str]) -> Iterator[str]:
    """Complete the last of the words."""
    *before, incomplete = words or [""]
    items = ShellComplete(program, {}, KUBECTL, "").get_completions(before, incomplete)
    kinds = {item.type for item in items}
    for item in items:
        if item.type == "plain":
            yield f"{item.value}\t{_first_line(item)}" if item.help else item.value
    directive = _FILES if "file" in kinds else _DIRECTORIES if "dir" in kinds else _NO_FILES
    yield f":{directive}"


def _first_line(item: CompletionItem[str]) -> str:
    return " ".join((item.help or "").split())
