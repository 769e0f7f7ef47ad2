"""The command `dind-webhook`, also installed as `kubectl-dind`."""

import click

from webhook import __version__
from webhook.cli.group import Command, Commands

EXIT_CODES = """\b
Exit codes:
  0   done; explain: every pod is injected; check: all is well
  1   explain: a pod is left alone; check: there are warnings
  2   a pod is refused; check: something is broken
  64  the command line is wrong
  65  the input is wrong: not YAML, not a Kubernetes object, a bad configuration file
  66  explain: the cluster has no such pod
  69  the cluster cannot be reached, or the package that could is missing
  77  the cluster does not let you read what is needed
  78  serve: no usable certificate, configuration file or address
"""

# A command's module is imported when it is called: `serve` pays for no YAML tables, and nobody
# else pays for the server.
COMMANDS = {
    "serve": Command("webhook.cli.serve", "serve", "Answer the API server's admission reviews."),
    "inject": Command("webhook.cli.inject", "inject", "Inject Docker into manifests, offline."),
    "explain": Command("webhook.cli.explain", "explain", "Say why pods are injected, or not."),
    "check": Command("webhook.cli.check", "check", "Say whether a cluster's webhook is well."),
    "config": Command("webhook.cli.config", "config", "Check and show the configuration file."),
    "demo": Command("webhook.cli.demo", "demo", "See a pod before and after, with no cluster."),
}


@click.group(
    cls=Commands,
    commands_by_name=COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Give CI pods a working Docker daemon, by an annotation or a namespace's label."""
