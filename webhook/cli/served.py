"""The versions of the webhook's replicas in a cluster.

Importing this module loads the `kubernetes` package.
"""

from collections.abc import Iterator
from pathlib import Path

import click
from kubernetes.client import V1Pod

from webhook import __version__
from webhook.cli.check.configuration import is_ours
from webhook.cli.json_output import ReplicaOutput, VersionOutput
from webhook.cli.live import LiveCluster, is_ready, pod_state, version_label

_CONTAINER = "webhook"


def find_versions(kubeconfig: Path | None, context: str | None) -> VersionOutput:
    """Read the versions of a cluster; a note says what could not be read."""
    kubernetes = None
    try:
        cluster = LiveCluster(kubeconfig, context)
        kubernetes = cluster.version().git_version
        replicas = list(_replicas(cluster))
    except click.ClickException as error:
        return VersionOutput(__version__, kubernetes, note=error.message)
    note = "" if replicas else "the cluster has no pod of the webhook"
    if len({replica.version for replica in replicas}) > 1:
        note = "replicas of several versions answer the API server; a rollout may be in progress"
    return VersionOutput(__version__, kubernetes, replicas, note)


def _replicas(cluster: LiveCluster) -> Iterator[ReplicaOutput]:
    """List the pods behind the Services that the webhook configurations name."""
    references = {
        (webhook.client_config.service.namespace, webhook.client_config.service.name)
        for found in cluster.configurations()
        if is_ours(found)
        for webhook in found.webhooks or ()
        if webhook.client_config.service is not None
    }
    for namespace, name in sorted(references):
        service = cluster.service(namespace, name)
        if service is not None:
            yield from map(_replica, cluster.pods_of_service(service))


def _replica(pod: V1Pod) -> ReplicaOutput:
    images = {container.name: container.image for container in pod.spec.containers}
    return ReplicaOutput(
        namespace=pod.metadata.namespace,
        pod=pod.metadata.name,
        version=version_label(pod),
        state="ready" if is_ready(pod) else pod_state(pod).removeprefix("is "),
        image=images.get(_CONTAINER) or next(iter(images.values()), None) or "",
    )
