"""`dind-webhook version`: the version of the command, and those of a cluster."""

from collections.abc import Iterator
from pathlib import Path

import click

from webhook import __version__
from webhook.cli.json_output import VersionOutput, output_option, print_json
from webhook.cli.options import access_options
from webhook.config.wording import printable


@click.command()
@access_options
@click.option("--client", "client_only", is_flag=True, help="Do not connect to a cluster.")
@output_option
def version(
    *, kubeconfig: Path | None, context: str | None, client_only: bool, output: str
) -> None:
    """Print the version of this command, and of the webhook that the cluster runs.

    The webhook's version is the label app.kubernetes.io/version of each of its pods. It needs the
    permissions of dind-webhook check; without them, or without a cluster, a note says what is
    missing.

    Exit code: 0, even if the cluster cannot be reached.
    """
    found = VersionOutput(__version__)
    if not client_only:
        from webhook.cli.served import find_versions  # noqa: PLC0415 - the Kubernetes client

        found = find_versions(kubeconfig, context)
    if output == "json":
        print_json(found)
    else:
        click.echo("\n".join(_lines(found, client_only=client_only)))


def _lines(found: VersionOutput, *, client_only: bool) -> Iterator[str]:
    yield f"Client: {found.client}"
    if client_only:
        return
    if found.kubernetes is not None:
        yield printable(f"Kubernetes: {found.kubernetes}")
    served = sorted({replica.version or "unknown" for replica in found.replicas})
    yield printable(f"Webhook: {', '.join(served) or 'unknown'}")
    if found.note:
        yield printable(f"Note: {found.note}")
    if found.replicas:
        from webhook.cli.table import table  # noqa: PLC0415 - imports rich

        yield ""
        rows = [
            (f"{r.namespace}/{r.pod}", r.version or "unknown", r.state, r.image)
            for r in found.replicas
        ]
        yield table(("REPLICA", "VERSION", "STATE", "IMAGE"), rows)
