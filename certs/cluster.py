"""The objects of one installation: reads them all, writes one at a time."""

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any, assert_never

from kubernetes.client import AdmissionregistrationV1Api, ApiClient, AppsV1Api, CoreV1Api

from certs.api import ClusterError, call, get, watch
from certs.objects import (
    FIELD_MANAGER,
    Names,
    Object,
    ready_pods,
    registration_in,
    secret_in,
    written_at,
)
from certs.replicas import Address, look_at
from certs.state import State, Unusable, read_authorities, read_leaf
from certs.writes import AuthoritiesSecret, Bundle, Contents, LeafSecret


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read, and the time on the API server's clock when that began.

    Attributes:
        now: The API server's time.
        state: For the plan.
        authorities: The CA Secret as it was, the guard of its next write; None if missing.
        leaf: The TLS Secret, likewise.
        registration: The webhook configuration, likewise.
    """

    now: datetime
    state: State
    authorities: Object | None
    leaf: Object | None
    registration: Object | None


class Cluster:
    """The objects of one installation.

    Args:
        client: Reaches the API server; safe to use from several threads.
        names: Of the objects.
    """

    def __init__(self, client: ApiClient, names: Names) -> None:
        self._names = names
        self._core = CoreV1Api(client)
        self._admission = AdmissionregistrationV1Api(client)
        self._apps = AppsV1Api(client)

    def read(self) -> Snapshot:
        """Read what is stored.

        The webhook configuration is read first. A bundle that was published after that makes the
        next write of it fail; so no bundle is ever made from an older list of authorities than
        the one that it replaces.

        Raises:
            ClusterError: The API server did not answer as it should.
        """
        names = self._names
        registration, now = get(
            partial(
                self._admission.read_mutating_webhook_configuration, names.webhook_configuration
            )
        )
        authorities, _ = get(
            partial(self._core.read_namespaced_secret, names.ca_secret, names.namespace)
        )
        leaf, _ = get(partial(self._core.read_namespaced_secret, names.tls_secret, names.namespace))
        state = State(
            authorities=read_authorities(secret_in(authorities)) if authorities else (),
            leaf=read_leaf(secret_in(leaf), written_at(leaf)) if leaf else Unusable("is missing"),
            registration=registration_in(registration) if registration else None,
        )
        return Snapshot(now, state, authorities, leaf, registration)

    def look(self, snapshot: Snapshot) -> Snapshot:
        """See what every ready replica serves."""
        names = self._names
        pods, _ = call(
            partial(self._core.list_namespaced_pod, names.namespace, label_selector=names.selector)
        )
        addresses = [Address(name, ip, names.port) for name, ip in ready_pods(pods)]
        replicas = look_at(addresses, f"{names.service}.{names.namespace}.svc")
        return replace(snapshot, state=replace(snapshot.state, replicas=replicas))

    def write(self, written: Contents, snapshot: Snapshot) -> None:
        """Write one object, unless it has changed since it was read.

        Raises:
            ConflictError: It has.
            ClusterError: The API server did not answer as it should.
        """
        match written:
            case AuthoritiesSecret(data):
                self._write_secret(self._names.ca_secret, "Opaque", data, snapshot.authorities)
            case LeafSecret(data):
                self._write_secret(self._names.tls_secret, "kubernetes.io/tls", data, snapshot.leaf)
            case Bundle(pem):
                self._apply_bundle(pem, snapshot.registration or {})
            case _ as never:
                assert_never(never)

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
        """Our Deployment: the Secrets are garbage-collected with it."""
        name = self._names.deployment
        found, _ = get(partial(self._apps.read_namespaced_deployment, name, self._names.namespace))
        if found is None:
            raise ClusterError(f"the deployment {name}, which is to own the Secrets, is missing")
        uid = found["metadata"]["uid"]
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid}

    def _write_secret(
        self, name: str, kind: str, data: Mapping[str, bytes], former: Object | None
    ) -> None:
        namespace = self._names.namespace
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        if former is None:
            secret: Any = {
                "metadata": {
                    "name": name,
                    "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER},
                    "ownerReferences": [self._owner],
                },
                "type": kind,
                "data": encoded,
            }
            create = partial(self._core.create_namespaced_secret, namespace, secret)
            call(partial(create, field_manager=FIELD_MANAGER))
            return
        metadata = former["metadata"] | {"ownerReferences": [self._owner]}
        secret = {"metadata": metadata, "type": former["type"], "data": encoded}
        change = partial(self._core.replace_namespaced_secret, name, namespace, secret)
        call(partial(change, field_manager=FIELD_MANAGER))

    def _apply_bundle(self, pem: bytes, former: Object) -> None:
        """Apply the bundles alone: no other field of the configuration becomes ours."""
        bundle = base64.b64encode(pem).decode()
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {
                "name": self._names.webhook_configuration,
                "resourceVersion": former["metadata"]["resourceVersion"],
            },
            "webhooks": [
                {"name": entry["name"], "clientConfig": {"caBundle": bundle}}
                for entry in former["webhooks"]
            ],
        }
        apply = partial(
            self._admission.patch_mutating_webhook_configuration,
            self._names.webhook_configuration,
            configuration,
            _content_type="application/apply-patch+yaml",
        )
        call(partial(apply, field_manager=FIELD_MANAGER, force=True))
