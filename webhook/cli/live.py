"""Reads a live cluster through the `kubernetes` package, which no other module of `cli` imports.

It only reads, and only what the chart's ClusterRole F-checker grants.
"""

import os
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from webhook.cli.group import BadInput
from webhook.cli.objects import (
    Configuration,
    EndpointSlice,
    List,
    LivePod,
    Namespace,
    Service,
    Version,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from webhook.cluster.client import RejectedError

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])

_MISSING_PACKAGE = (
    "this command needs the Kubernetes client: install dind-webhook[cluster], with pip for "
    "instance, or run it in the image of the chart's rotation, which has it"
)


class Unavailable(click.ClickException):
    """The cluster cannot be reached, or the package that could."""

    exit_code = os.EX_UNAVAILABLE


class NotAllowed(click.ClickException):
    """The cluster does not let us read what is needed."""

    exit_code = os.EX_NOPERM


def access_options(function: Function) -> Function:
    """Give a command the options that say which cluster, and as whom."""
    for option in (
        click.option("--context", metavar="NAME", help="The kubeconfig's context."),
        click.option(
            "--kubeconfig",
            type=click.Path(path_type=Path),
            help="Access to the cluster; without it, as kubectl finds it, or as a pod has it.",
        ),
    ):
        function = option(function)
    return function


class LiveCluster:
    """What a cluster says about the webhook and its pods.

    Raises:
        Unavailable: the cluster cannot be reached; so do all methods.
        NotAllowed: it does not let us read that; so do all methods.
    """

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        try:
            from kubernetes import client  # noqa: PLC0415 - an optional extra, slow to import
        except ModuleNotFoundError as error:
            raise Unavailable(_MISSING_PACKAGE) from error
        access = _connect(kubeconfig, context)
        self._server = access.configuration.host
        self._version = client.VersionApi(access)
        self._core = client.CoreV1Api(access)
        self._discovery = client.DiscoveryV1Api(access)
        self._admission = client.AdmissionregistrationV1Api(access)

    def version(self) -> Version:
        """Read the API server's version."""
        return self._read("its version", self._version.get_code, Version)

    def namespaces(self, selector: str) -> list[Namespace]:
        """List namespaces by their labels."""
        request = partial(self._core.list_namespace, label_selector=selector)
        return self._list("list namespaces", request, Namespace)

    def namespace(self, name: str) -> Namespace | None:
        """Read a namespace."""
        request = partial(self._core.read_namespace, name)
        return self._find(f"read namespace {name}", request, Namespace)

    def pods(self, namespace: str, selector: str) -> list[LivePod]:
        """List the pods of a namespace by their labels."""
        request = partial(self._core.list_namespaced_pod, namespace, label_selector=selector)
        return self._list(f"list pods in namespace {namespace}", request, LivePod)

    def pod(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Read a pod, with every field that it has."""
        request = partial(self._core.read_namespaced_pod, name, namespace)
        return self._find(f"read pods in namespace {namespace}", request, dict[str, Any])

    def service(self, namespace: str, name: str) -> Service | None:
        """Read a Service."""
        request = partial(self._core.read_namespaced_service, name, namespace)
        return self._find(f"read services in namespace {namespace}", request, Service)

    def endpoint_slices(self, namespace: str, service: str) -> list[EndpointSlice]:
        """List the endpoints of a Service."""
        request = partial(
            self._discovery.list_namespaced_endpoint_slice,
            namespace,
            label_selector=f"kubernetes.io/service-name={service}",
        )
        return self._list(f"list endpointslices in namespace {namespace}", request, EndpointSlice)

    def configurations(self) -> list[Configuration]:
        """List every MutatingWebhookConfiguration."""
        request = self._admission.list_mutating_webhook_configuration
        return self._list("list mutatingwebhookconfigurations", request, Configuration)

    def configuration(self, name: str) -> Configuration | None:
        """Read a MutatingWebhookConfiguration."""
        request = partial(self._admission.read_mutating_webhook_configuration, name)
        return self._find(f"read mutatingwebhookconfiguration {name}", request, Configuration)

    def _list(self, what: str, request: Callable[..., Any], kind: type[T]) -> list[T]:
        return self._read(what, request, List[kind]).items or []  # type: ignore[valid-type]

    def _find(self, what: str, request: Callable[..., Any], kind: type[T]) -> T | None:
        try:
            return self._read(what, request, kind)
        except _MissingError:
            return None

    def _read(self, what: str, request: Callable[..., Any], kind: type[T]) -> T:
        """Send one request; `what` completes "you may not ..."."""
        from webhook.cluster.client import ClusterError, RejectedError, send  # noqa: PLC0415

        try:
            return msgspec.json.decode(send(request).body, type=kind)
        except RejectedError as error:
            raise self._problem(what, error) from error
        except (ClusterError, msgspec.DecodeError) as error:
            raise Unavailable(f"{self._server} cannot be reached: {error}") from error

    def _problem(self, what: str, error: "RejectedError") -> Exception:
        match error.status:
            case HTTPStatus.NOT_FOUND:
                return _MissingError()
            case HTTPStatus.FORBIDDEN:
                return NotAllowed(
                    f"you may not {what}; the chart's checker.create=true makes a ClusterRole that "
                    "allows all that this command reads, and checker.subjects gives it to you"
                )
            case HTTPStatus.UNAUTHORIZED:
                return Unavailable(
                    f"{self._server} does not know you (401 Unauthorized); renew the access that "
                    "the kubeconfig holds"
                )
            case status:
                return Unavailable(
                    f"{self._server} does not answer as it should: {status} {error.reason}"
                )


class _MissingError(Exception):
    """The object does not exist."""


def _connect(kubeconfig: Path | None, context: str | None) -> "ApiClient":
    """Make a client: of the kubeconfig where one is named, of the pod where it runs in one."""
    from webhook.cluster.client import ClusterError, connect  # noqa: PLC0415 - slow to import

    if kubeconfig is not None and not kubeconfig.is_file():
        raise BadInput(f"{kubeconfig}: cannot be read: it is not a file")
    try:
        return connect(kubeconfig, context)
    except ClusterError as error:
        raise Unavailable(f"{error}; --kubeconfig names a file with it") from error
