"""The objects of one installation: reads them all, writes one at a time."""

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from http import HTTPStatus
from typing import Any

from kubernetes.client import AdmissionregistrationV1Api, ApiClient, AppsV1Api, CoreV1Api
from msgspec import Struct
from msgspec.structs import replace

from certs import objects
from certs.model import (
    IssueServingCertificate,
    Names,
    PublishCABundle,
    RotationPolicy,
    State,
    Unusable,
    Write,
)
from certs.objects import CA_SECRET_TYPES, FIELD_MANAGER, TLS_SECRET_TYPES, Object
from webhook.cluster.client import ClusterError, RejectedError, send, watch
from webhook.cluster.probe import Address, handshakes


class ConflictError(ClusterError):
    """Another program wrote first: what was planned may be wrong by now."""


class Snapshot(Struct, frozen=True):
    """What was read, and the time on the API server's clock when that began.

    Each object is kept as it was, None if missing: its next write fails if it has changed since.
    """

    now: datetime
    state: State
    ca_secret: Object | None
    tls_secret: Object | None
    webhook_configuration: Object | None


class Cluster:
    """The objects of one installation.

    Raises:
        ClusterError: The API server did not answer as it should; every method raises it.
    """

    def __init__(self, client: ApiClient, names: Names) -> None:
        self._names = names
        self._core = CoreV1Api(client)
        self._admission = AdmissionregistrationV1Api(client)
        self._apps = AppsV1Api(client)

    def read(self) -> Snapshot:
        """Read what is stored.

        The MutatingWebhookConfiguration is read first. A caBundle that was published after that
        makes the next write of it fail; so no caBundle is ever made from an older list of CAs than
        the one that it replaces.
        """
        names = self._names
        read_webhooks = self._admission.read_mutating_webhook_configuration
        read_secret = self._core.read_namespaced_secret
        webhooks, now = _find(read_webhooks, names.webhook_configuration)
        ca_secret, _ = _find(read_secret, names.ca_secret, names.namespace)
        tls_secret, _ = _find(read_secret, names.tls_secret, names.namespace)
        stored = objects.parse_ca_secret(ca_secret or {})
        state = State(
            cas=stored.cas,
            serving=objects.parse_tls_secret(tls_secret) if tls_secret else Unusable("is missing"),
            webhooks=objects.parse_webhook_configuration(webhooks) if webhooks else None,
            problems=stored.problems,
            ca_secret_obstacle=objects.write_obstacle(ca_secret or {}, CA_SECRET_TYPES),
            tls_secret_obstacle=objects.write_obstacle(tls_secret or {}, TLS_SECRET_TYPES),
        )
        return Snapshot(now, state, ca_secret, tls_secret, webhooks)

    def probe(self, snapshot: Snapshot) -> Snapshot:
        """Find out what every ready replica serves."""
        names = self._names
        list_pods = self._core.list_namespaced_pod
        pods, _ = send(list_pods, names.namespace, label_selector=names.selector)
        addresses = [Address(name, ip, names.port) for name, ip in objects.ready_pods(pods)]
        server_name = f"{names.service}.{names.namespace}.svc"
        # Nothing is sent, and nothing is trusted: only the certificates are compared.
        results = handshakes(addresses, server_name, ca_bundle=None)
        replicas = tuple(map(objects.parse_handshake, results))
        return replace(snapshot, state=replace(snapshot.state, replicas=replicas))

    def write(self, write: Write, snapshot: Snapshot, policy: RotationPolicy) -> None:
        """Write one object, unless it has changed since it was read.

        Raises:
            ConflictError: It has.
        """
        if isinstance(write, PublishCABundle):
            self._apply_ca_bundle(write.pem, snapshot.webhook_configuration or {})
            return
        data = objects.data_to_write(write, snapshot.now, policy)
        if isinstance(write, IssueServingCertificate):
            name, kind, former = self._names.tls_secret, TLS_SECRET_TYPES[0], snapshot.tls_secret
        else:
            name, kind, former = self._names.ca_secret, CA_SECRET_TYPES[0], snapshot.ca_secret
        self._write_secret(name, kind, data, former)

    def watches(self) -> Mapping[str, Callable[[], Iterator[None]]]:
        """One watch per object: each yields when the object may have changed, and ends at times.

        A new watch begins with the object as it is, so nothing is missed between two.
        """
        names = self._names
        secrets = partial(self._core.list_namespaced_secret, names.namespace)
        configurations = self._admission.list_mutating_webhook_configuration
        return {
            f"secret {names.ca_secret}": partial(watch, secrets, names.ca_secret),
            f"secret {names.tls_secret}": partial(watch, secrets, names.tls_secret),
            f"mutatingwebhookconfiguration {names.webhook_configuration}": partial(
                watch, configurations, names.webhook_configuration
            ),
        }

    @cached_property
    def _owner(self) -> Object:
        """The Deployment of dind-certs: the Secrets are garbage-collected with it."""
        name = self._names.deployment
        read_deployment = self._apps.read_namespaced_deployment
        found, _ = _find(read_deployment, name, self._names.namespace)
        if found is None:
            raise ClusterError(f"the deployment {name}, which is to own the Secrets, is missing")
        uid = found["metadata"]["uid"]
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid}

    def _write_secret(
        self, name: str, kind: str, data: Mapping[str, bytes], former: Object | None
    ) -> None:
        namespace = self._names.namespace
        created = {"name": name, "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER}}
        metadata = former["metadata"] if former else created
        secret: Any = {
            "metadata": metadata | {"ownerReferences": [self._owner]},
            "type": former["type"] if former else kind,
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        if former is None:
            _change(self._core.create_namespaced_secret, namespace, secret)
        else:
            _change(self._core.replace_namespaced_secret, name, namespace, secret)

    def _apply_ca_bundle(self, pem: bytes, former: Object) -> None:
        """Apply caBundle alone: dind-certs owns no other field of the configuration."""
        ca_bundle = base64.b64encode(pem).decode()
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {
                "name": self._names.webhook_configuration,
                "resourceVersion": former["metadata"]["resourceVersion"],
            },
            "webhooks": [
                {"name": webhook["name"], "clientConfig": {"caBundle": ca_bundle}}
                for webhook in former["webhooks"]
            ],
        }
        _change(
            self._admission.patch_mutating_webhook_configuration,
            self._names.webhook_configuration,
            configuration,
            force=True,
            _content_type="application/apply-patch+yaml",
        )


def _find(method: Callable[..., Any], *names: str) -> tuple[Object | None, datetime]:
    """Read one object, None if it does not exist; and the API server's time."""
    try:
        found, date = send(method, *names)
    except RejectedError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        found, date = None, error.date
    if date is None:
        raise ClusterError("the API server's answer does not tell the time (Date)")
    return found, date


def _change(method: Callable[..., Any], *arguments: Any, **more: Any) -> None:  # noqa: ANN401
    """Send one write; a conflict is an object that has changed, exists already, or is gone."""
    try:
        send(method, *arguments, **more, field_manager=FIELD_MANAGER)
    except RejectedError as error:
        if error.status in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
            raise ConflictError(str(error)) from error
        raise
