"""Reads a cluster: only what the chart's ClusterRole F-reader grants.

Importing this module loads the `kubernetes` package, which takes half a second.
"""

import os
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
from kubernetes import client

from webhook.cli.kubeconfig import POD_NAMESPACE, current_namespace
from webhook.cluster.client import ClusterError, RejectedError, connect, fetch, uses_service_account
from webhook.config.wording import printable

POD_SECURITY = "pod-security.kubernetes.io/enforce"
STRICT_LEVELS = ("baseline", "restricted")
_VERSION = "app.kubernetes.io/version"


class Unavailable(click.ClickException):
    """The cluster cannot be reached, or does not answer as an API server does."""

    exit_code = os.EX_UNAVAILABLE


class _NotFound(Unavailable):
    """The API server has no such object, or is none."""


class NotAllowed(click.ClickException):
    """The cluster does not let the user read what is needed."""

    exit_code = os.EX_NOPERM


class NoSuchPod(click.ClickException):
    """The cluster has no such pod."""

    exit_code = os.EX_NOINPUT


_READER = (
    "the chart's rbac.reader.create=true creates a ClusterRole for all that this command reads, "
    "and rbac.reader.subjects binds it"
)


class LiveCluster:
    """The objects of a cluster that concern the webhook, as the Kubernetes client's models.

    `rights` is the end of the message about a missing right: how to get it.

    Raises:
        BadInput: the kubeconfig or the context was named, and is not usable.
        Unavailable: the cluster cannot be reached; every method raises it.
        NotAllowed: the user may not read the object; every method raises it.
    """

    def __init__(
        self, kubeconfig: Path | None, context: str | None, *, rights: str = _READER
    ) -> None:
        self.namespace_of_context = _namespace_of_context(kubeconfig, context)
        try:
            self._access = connect(kubeconfig, context)
        except ClusterError as error:
            hint = "" if kubeconfig else "; name a kubeconfig file with --kubeconfig"
            raise Unavailable(str(error).removesuffix(".") + hint) from error
        self._access.configuration.client_side_validation = False
        self.rights = rights
        self._server = self._access.configuration.host
        self._core = client.CoreV1Api(self._access)
        self._admission = client.AdmissionregistrationV1Api(self._access)

    def as_json(self, model: object) -> Any:  # noqa: ANN401 - JSON
        """Turn a model into the JSON data that the API server sent."""
        return self._access.sanitize_for_serialization(model)  # type: ignore[no-untyped-call]

    def version(self) -> client.VersionInfo:
        """Read the API server's version."""
        return self._read("the version", client.VersionApi(self._access).get_code)

    def namespaces(self, selector: str) -> list[client.V1Namespace]:
        """List namespaces by their labels."""
        request = partial(self._core.list_namespace, label_selector=selector)
        return self._list("namespaces", request)

    def namespace(self, name: str) -> client.V1Namespace | None:
        """Read a namespace."""
        return self._find(f"read namespace {name}", partial(self._core.read_namespace, name))

    def pods(self, namespace: str, selector: str) -> list[client.V1Pod]:
        """List the pods of a namespace by their labels."""
        request = partial(self._core.list_namespaced_pod, namespace, label_selector=selector)
        return self._list(f"pods in namespace {namespace}", request)

    def pods_of_service(self, service: client.V1Service) -> list[client.V1Pod]:
        """List the pods that a Service selects; none without a selector."""
        labels = service.spec.selector or {}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return self.pods(service.metadata.namespace, selector) if selector else []

    def pod(self, namespace: str, name: str) -> client.V1Pod | None:
        """Read a pod."""
        request = partial(self._core.read_namespaced_pod, name, namespace)
        return self._find(f"read pods in namespace {namespace}", request)

    def service(self, namespace: str, name: str) -> client.V1Service | None:
        """Read a Service."""
        request = partial(self._core.read_namespaced_service, name, namespace)
        return self._find(f"read services in namespace {namespace}", request)

    def endpoint_slices(self, namespace: str, service: str) -> list[client.V1EndpointSlice]:
        """List the endpoints of a Service."""
        api = client.DiscoveryV1Api(self._access)
        selector = f"kubernetes.io/service-name={service}"
        request = partial(api.list_namespaced_endpoint_slice, namespace, label_selector=selector)
        return self._list(f"endpointslices in namespace {namespace}", request)

    def configurations(self) -> list[client.V1MutatingWebhookConfiguration]:
        """List every MutatingWebhookConfiguration."""
        request = self._admission.list_mutating_webhook_configuration
        return self._list("mutatingwebhookconfigurations", request)

    def configuration(self, name: str) -> client.V1MutatingWebhookConfiguration | None:
        """Read a MutatingWebhookConfiguration."""
        request = partial(self._admission.read_mutating_webhook_configuration, name)
        return self._find(f"read mutatingwebhookconfiguration {name}", request)

    def config_map(self, namespace: str, name: str) -> client.V1ConfigMap | None:
        """Read a ConfigMap."""
        request = partial(self._core.read_namespaced_config_map, name, namespace)
        return self._find(f"read configmaps in namespace {namespace}", request)

    def runtime_class(self, name: str) -> client.V1RuntimeClass | None:
        """Read a RuntimeClass."""
        request = partial(client.NodeV1Api(self._access).read_runtime_class, name)
        return self._find("read runtimeclasses", request)

    def nodes(self, selector: str) -> list[client.V1Node]:
        """List nodes by their labels."""
        return self._list("nodes", partial(self._core.list_node, label_selector=selector))

    def _list(self, what: str, request: Callable[..., Any]) -> list[Any]:
        return self._read(f"list {what}", request).items or []

    def _find(self, action: str, request: Callable[..., Any]) -> Any:  # noqa: ANN401 - models
        """Read an object; None if it does not exist."""
        try:
            return self._read(action, request)
        except _NotFound:
            return None

    def _read(self, action: str, request: Callable[..., Any]) -> Any:  # noqa: ANN401 - models
        """Send one request; `action` completes "you may not ..."."""
        try:
            return fetch(request)
        except RejectedError as error:
            raise self._rejection(action, error) from error
        except ClusterError as error:
            raise Unavailable(f"{self._server} cannot be reached: {error}") from error

    def _rejection(self, action: str, error: RejectedError) -> click.ClickException:
        if error.status == HTTPStatus.FORBIDDEN:
            return NotAllowed(f"you may not {action}; {self.rights}")
        if error.status == HTTPStatus.UNAUTHORIZED:
            return self.unknown_user()
        if (
            error.status == HTTPStatus.TOO_MANY_REQUESTS
            or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            return Unavailable(f"{self._server} cannot answer: {error}")
        answer = f"{error.status} {error.reason}".rstrip()
        kind = _NotFound if error.status == HTTPStatus.NOT_FOUND else Unavailable
        return kind(f"{self._server} answered {answer}; is it a Kubernetes API server?")

    def unknown_user(self) -> Unavailable:
        """Make the error for credentials that the API server does not accept."""
        return Unavailable(
            f"{self._server} does not know you (401 Unauthorized); renew the credentials of the "
            "kubeconfig"
        )


def is_ready(pod: client.V1Pod) -> bool:
    """Tell whether a pod is ready."""
    conditions = pod.status.conditions or ()
    return any((c.type, c.status) == ("Ready", "True") for c in conditions)


def version_label(pod: client.V1Pod) -> str | None:
    """Return the version that the chart has written on a pod."""
    label: str | None = (pod.metadata.labels or {}).get(_VERSION)
    return label


def pod_state(pod: client.V1Pod) -> str:
    """Say how a pod that is not ready is doing."""
    if pod.metadata.deletion_timestamp is not None:
        return "is being deleted"
    phase = pod.status.phase or "Pending"
    for status in container_statuses(pod):
        stopped = stopped_state(status)
        if stopped is not None and stopped.reason and not status.ready:
            return f"is {phase}, container {status.name} {stopped.reason}"
    for condition in pod.status.conditions or ():
        if (condition.type, condition.status) == ("PodScheduled", "False"):
            return f"is {phase}, {condition.message or 'not scheduled'}"
    return f"is {phase}, not ready"


def container_statuses(pod: client.V1Pod) -> list[client.V1ContainerStatus]:
    """List the statuses of a pod's containers, init containers first."""
    status = pod.status
    return [*(status.init_container_statuses or ()), *(status.container_statuses or ())]


def stopped_state(status: client.V1ContainerStatus) -> Any:  # noqa: ANN401 - one of two models
    """Return the state of a container that does not run, with reason and message."""
    return status.state and (status.state.waiting or status.state.terminated)


def container_state(pod: client.V1Pod, name: str) -> str:
    """Say whether a container of a pod runs, and why not."""
    for status in container_statuses(pod):
        if status.name == name:
            stopped = stopped_state(status)
            if stopped is None:
                return f"container {name} is running"
            words = filter(None, (stopped.reason, stopped.message))
            return printable(f"container {name}: {' '.join(words)}")
    return f"container {name} has not started; the pod {printable(pod_state(pod))}"


def _namespace_of_context(kubeconfig: Path | None, context: str | None) -> str:
    """Return the namespace that belongs to the credentials of `connect`."""
    if uses_service_account(kubeconfig, context):
        return POD_NAMESPACE.read_text(encoding="utf-8").strip()
    return current_namespace(kubeconfig, context)
