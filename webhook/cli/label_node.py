"""`dind-webhook label-node`: what the chart's DaemonSet F-node-check runs on each node."""

import signal
from pathlib import Path

import click

from webhook.cli.live import Unavailable
from webhook.cli.options import kubeconfig_option
from webhook.cluster import node_label
from webhook.cluster.client import ClusterError, connect
from webhook.logs import configure_logging

_END = (signal.SIGTERM, signal.SIGINT)


@click.command()
@click.argument("node")
@click.option("--remove", is_flag=True, help="Remove the label and exit.")
@kubeconfig_option("the pod's service account")
def label_node(node: str, *, remove: bool, kubeconfig: Path | None) -> None:
    """Set the label dind.io/user-namespaces on NODE, and remove it at SIGTERM.

    The node must have passed the check before.
    """
    # Blocked signals stay pending until sigwait. Process 1 of a container would otherwise miss a
    # SIGTERM that arrives while the label is set.
    signal.pthread_sigmask(signal.SIG_BLOCK, _END)
    log = configure_logging()
    try:
        access = connect(kubeconfig)
        if not remove:
            node_label.label_node(access, node)
            log.info("node labelled", node=node, label=node_label.NODE_LABEL)
            signal.sigwait(_END)
        node_label.unlabel_node(access, node)
        log.info("label removed", node=node, label=node_label.NODE_LABEL)
    except ClusterError as error:
        raise Unavailable(f"The request to the API server failed: {error}") from error
