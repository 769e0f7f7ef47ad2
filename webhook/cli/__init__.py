"""The command `dind-webhook`, also installed as `kubectl-dind`."""

import click

from webhook import __version__
from webhook.cli.group import Command, Commands

EXIT_CODES = """\b
Exit codes:
  0   success; explain: every pod is injected; check: no problems
  1   explain: a pod is skipped; check: there are warnings
  2   a pod is denied; check: something is broken
  64  the command line is wrong
  65  the input is wrong: a manifest or the configuration file
  66  the cluster has no such pod, or the pod no Docker daemon of its own
  69  the cluster cannot be reached, or a pod's Docker daemon does not answer
  70  this command has a defect
  74  the output cannot be written
  77  the cluster does not let you read what is needed
  78  serve: no usable certificate, configuration file or address
  130 interrupted by Ctrl-C
"""

# A command's module is imported when the command is called.
COMMANDS = {
    "serve": Command("webhook.cli.serve", "Serve the webhook.", hidden_in_kubectl=True),
    "inject": Command("webhook.cli.inject", "Inject Docker into manifests, offline."),
    "explain": Command("webhook.cli.explain.command", "Explain why pods are injected or not."),
    "check": Command("webhook.cli.check.command", "Check the webhook of a cluster."),
    "ps": Command("webhook.cli.inside.command", "List the containers in a pod's daemon."),
    "images": Command("webhook.cli.inside.command", "List the images in a pod's daemon."),
    "df": Command("webhook.cli.inside.command", "Show the image store of a pod, and its use."),
    "top": Command("webhook.cli.inside.command", "Show what uses CPU and memory in a pod."),
    "logs": Command("webhook.cli.inside.command", "Print the log of a pod's daemon."),
    "config": Command("webhook.cli.config", "Check and show the configuration file."),
    "version": Command("webhook.cli.version", "Print the versions of the command and webhook."),
    "completion": Command("webhook.cli.completion", "Print a shell's completion script."),
    "demo": Command("webhook.cli.demo", "Show a pod before and after, without a cluster."),
    "explain-page": Command(
        "webhook.cli.page.command", "Serve a page that explains pasted pods.", hidden=True
    ),
    "label-node": Command("webhook.cli.label_node", "Label a node that was checked.", hidden=True),
    "export-metrics": Command(
        "webhook.cli.export_metrics", "Export metrics of a pod's daemon.", hidden=True
    ),
    "reclaim-stores": Command(
        "webhook.cli.reclaim_stores", "Remove image stores of a node.", hidden=True
    ),
}


@click.group(
    cls=Commands,
    commands_by_name=COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Give CI pods a Docker daemon, by an annotation or by a label of the namespace."""
