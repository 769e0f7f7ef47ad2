"""The label of nodes that can run a Docker daemon in a user namespace."""

from kubernetes.client import ApiClient, CoreV1Api

from webhook.cluster.client import send

NODE_LABEL = "dind.io/user-namespaces"
_FIELD_MANAGER = "dind-webhook-node-check"


def label_node(access: ApiClient, node: str) -> None:
    """Set the label on a node. Raises the errors of `send`."""
    _patch(access, node, "true")


def unlabel_node(access: ApiClient, node: str) -> None:
    """Remove the label from a node, whether or not it has it. Raises the errors of `send`."""
    _patch(access, node, None)


def _patch(access: ApiClient, node: str, value: str | None) -> None:
    send(
        CoreV1Api(access).patch_node,
        node,
        {"metadata": {"labels": {NODE_LABEL: value}}},
        field_manager=_FIELD_MANAGER,
        _content_type="application/merge-patch+json",
    )
