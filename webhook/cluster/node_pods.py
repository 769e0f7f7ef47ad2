"""The pods of one node, and the namespaces of the cluster."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from kubernetes.client import ApiClient, CoreV1Api
from msgspec import Struct

from webhook.cluster.client import RejectedError, send

_COMPONENT = "dind-webhook-reclaimer"
_FINISHED = ("Succeeded", "Failed")
# Names and UIDs are enough.
_METADATA = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
# From the API server's cache: every node asks, and otherwise etcd would read all pods each time.
_FROM_CACHE = "0"


class NodePod(Struct, frozen=True):
    """A pod that has not finished."""

    uid: str
    namespace: str
    name: str
    annotations: Mapping[str, str]
    is_being_deleted: bool


class Namespace(Struct, frozen=True):
    """A namespace; `created` is in Unix time."""

    uid: str
    created: float


class NodePods:
    """Reads and deletes pods of one node. Every method raises the errors of `send`."""

    def __init__(self, access: ApiClient, node: str) -> None:
        self._api = CoreV1Api(access)
        self._node = node

    def pods(self) -> dict[str, NodePod]:
        """List the pods of the node that have not finished, by UID."""
        data, _ = send(
            self._api.list_pod_for_all_namespaces,
            field_selector=f"spec.nodeName={self._node}",
            resource_version=_FROM_CACHE,
        )
        pods = [_pod(item["metadata"]) for item in data["items"] if not _is_finished(item)]
        return {pod.uid: pod for pod in pods}

    def namespaces(self) -> dict[str, Namespace]:
        """List the namespaces of the cluster, by name."""
        data, _ = send(
            self._api.list_namespace, resource_version=_FROM_CACHE, _headers=dict(_METADATA)
        )
        found = [item["metadata"] for item in data["items"]]
        return {
            namespace["name"]: Namespace(
                namespace["uid"], datetime.fromisoformat(namespace["creationTimestamp"]).timestamp()
            )
            for namespace in found
        }

    def delete(self, pod: NodePod) -> None:
        """Delete a pod, but no other pod of its name; it may have been deleted already."""
        body = {"preconditions": {"uid": pod.uid}}
        try:
            send(self._api.delete_namespaced_pod, pod.name, pod.namespace, body=body)
        except RejectedError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise

    def warn(self, pod: NodePod, reason: str, message: str) -> None:
        """Create an event on a pod."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "metadata": {"generateName": f"{pod.name[:200]}.", "namespace": pod.namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": pod.namespace,
                "name": pod.name,
                "uid": pod.uid,
            },
            "type": "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": _COMPONENT, "host": self._node},
            "reportingComponent": _COMPONENT,
            "reportingInstance": self._node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        send(self._api.create_namespaced_event, pod.namespace, event)


def _is_finished(item: Mapping[str, Any]) -> bool:
    return item.get("status", {}).get("phase") in _FINISHED


def _pod(metadata: Mapping[str, Any]) -> NodePod:
    return NodePod(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        annotations=metadata.get("annotations") or {},
        is_being_deleted="deletionTimestamp" in metadata,
    )
