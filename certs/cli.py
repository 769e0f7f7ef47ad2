"""The command `dind-certs`."""

import click

from webhook import __version__
from webhook.cli.group import Command, Commands

# A command's module is imported when it is called: `issue` does not pay for the Kubernetes client.
COMMANDS = {
    "issue": Command("certs.issue_command", "Write a CA and a serving certificate to files."),
    "run": Command("certs.cluster_commands", "Issue and rotate the webhook's certificates."),
    "show": Command(
        "certs.cluster_commands", "Show certificates, their trust and what comes next."
    ),
}


@click.group(
    "dind-certs",
    cls=Commands,
    commands_by_name=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Issue, rotate and show the certificates of dind-webhook."""
