"""Checks the pods behind a webhook: their Service, readiness, certificates and rotation."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from kubernetes.client import AdmissionregistrationV1ServiceReference as ServiceReference
from kubernetes.client import V1EndpointSlice, V1Pod, V1Service, V1ServicePort
from kubernetes.client import V1MutatingWebhookConfiguration as WebhookConfiguration

from certs.certificates import certificates_in, pem_of
from certs.objects import FIELD_MANAGER
from webhook.cli.check.configuration import ca_bundles, certificate_fix
from webhook.cli.check.report import Finding, Status, check_validity
from webhook.cli.live import LiveCluster, is_ready, pod_state, version_label
from webhook.cluster.probe import Address, Handshake, handshakes
from webhook.injection.decisions import listed

_CERTIFICATES = "app.kubernetes.io/component=certificates"
_INSTANCE = "app.kubernetes.io/instance"
_DEFAULT_PORT = 443


def check_replicas(
    cluster: LiveCluster,
    configuration: WebhookConfiguration,
    reference: ServiceReference,
    now: datetime,
) -> Iterator[Finding]:
    """Check which pods the API server reaches, and whether it trusts them."""
    service = cluster.service(reference.namespace, reference.name)
    finding, port = _check_service(service, reference)
    yield finding
    if service is None or port is None:
        return
    pods = cluster.pods_of_service(service)
    slices = cluster.endpoint_slices(reference.namespace, reference.name)
    addresses = _ready_addresses(slices, port)
    yield _check_endpoints(addresses, pods, reference)
    if pods:
        yield _check_versions(pods, reference)
    yield from _check_certificates(configuration, addresses, reference, now)
    yield from _check_rotation(cluster, configuration, reference)


def _check_service(
    service: V1Service | None, reference: ServiceReference
) -> tuple[Finding, V1ServicePort | None]:
    name = f"{reference.namespace}/{reference.name}"
    wanted = reference.port or _DEFAULT_PORT
    fix = "Restore the chart's Service: helm upgrade."
    if service is None:
        return Finding("Service", Status.BROKEN, f"{name} does not exist", fix), None
    for port in service.spec.ports or ():
        if port.port == wanted:
            return Finding("Service", Status.OK, f"{name}, port {wanted}"), port
    ports = listed([str(port.port) for port in service.spec.ports or ()])
    message = f"{name} has no port {wanted}, which the webhooks call (it has {ports})"
    return Finding("Service", Status.BROKEN, message, fix), None


def _ready_addresses(slices: Sequence[V1EndpointSlice], port: V1ServicePort) -> list[Address]:
    """List the addresses of ready endpoints, with the port of the pods."""
    return [
        Address(endpoint.target_ref.name if endpoint.target_ref else "", address, target.port)
        for part in slices
        for target in part.ports or ()
        if (target.name or "") == (port.name or "") and target.port is not None
        for endpoint in part.endpoints or ()
        if endpoint.conditions is None or endpoint.conditions.ready is not False
        for address in endpoint.addresses[:1]  # the others are of the same pod
    ]


def _check_endpoints(
    addresses: Sequence[Address], pods: Sequence[V1Pod], reference: ServiceReference
) -> Finding:
    name = "endpoints"
    unready = [f"{pod.metadata.name} {pod_state(pod)}" for pod in pods if not is_ready(pod)]
    fix = (
        f"kubectl -n {reference.namespace} describe pods shows what they wait for. If a Secret is "
        "missing, no certificate was issued. If a pod restarts, its log has the reason."
    )
    if not addresses and len(unready) < len(pods):
        message = "none, although pods are ready: the Service does not select them"
        return Finding(name, Status.BROKEN, message, "kubectl get endpointslices shows more.")
    if not addresses:
        message = f"no pod is ready: {listed(unready) if unready else 'there is none'}"
        return Finding(name, Status.BROKEN, message, fix)
    message = f"{len(addresses)} ready"
    if unready:
        return Finding(name, Status.WARNING, f"{message}; {listed(unready)}", fix)
    return Finding(name, Status.OK, message)


def _check_versions(pods: Sequence[V1Pod], reference: ServiceReference) -> Finding:
    """Name the versions of the pods: two of them during an upgrade, and if it does not go on."""
    counts = Counter(version_label(pod) or "unknown" for pod in pods)
    if len(counts) == 1:
        return Finding("version", Status.OK, *counts)
    message = listed([f"{version} ({count})" for version, count in sorted(counts.items())])
    fix = "Until an upgrade is complete, both answer. kubectl -n "
    fix += f"{reference.namespace} rollout status deployment shows what it waits for."
    return Finding("version", Status.WARNING, f"pods of several versions: {message}", fix)


def _check_certificates(
    configuration: WebhookConfiguration,
    addresses: Sequence[Address],
    reference: ServiceReference,
    now: datetime,
) -> Iterator[Finding]:
    server_name = f"{reference.name}.{reference.namespace}.svc"
    fix = certificate_fix(configuration, reference)
    for ca_bundle in ca_bundles(configuration):
        pem = b"".join(map(pem_of, certificates_in(ca_bundle))).decode()
        if not pem:
            continue  # check_ca_bundle reports it
        for handshake in handshakes(addresses, server_name, ca_bundle=pem):
            yield _check_certificate(handshake, now, fix)


def _check_certificate(handshake: Handshake, now: datetime, fix: str) -> Finding:
    name = "certificate"
    pod = handshake.address.pod or handshake.address.ip
    if handshake.certificate is not None:
        status, dates = check_validity(handshake.certificate, now)
        needed_fix = fix if status is not Status.OK else ""
        return Finding(name, status, f"{pod}: trusted, {dates}", needed_fix)
    if handshake.problem is not None:
        message = f"{pod}: not trusted by the caBundle: {handshake.problem}"
        return Finding(name, Status.BROKEN, message, fix)
    address = f"{handshake.address.ip}:{handshake.address.port}"
    message = f"{pod} ({address}) cannot be reached from here: {handshake.unreachable}"
    return Finding(name, Status.UNKNOWN, message, "helm test checks from inside the cluster.")


def _check_rotation(
    cluster: LiveCluster, configuration: WebhookConfiguration, reference: ServiceReference
) -> Iterator[Finding]:
    """Check the pod that renews certificates, if the chart runs one."""
    metadata = configuration.metadata
    instance = (metadata.labels or {}).get(_INSTANCE)
    selector = _CERTIFICATES + (f",{_INSTANCE}={instance}" if instance else "")
    pods = cluster.pods(reference.namespace, selector)
    if any(map(is_ready, pods)):
        yield Finding("rotation", Status.OK, "a pod of dind-certs is ready")
        return
    managers = [entry.manager for entry in metadata.managed_fields or ()]
    if pods or FIELD_MANAGER in managers:
        unready = [f"{pod.metadata.name} {pod_state(pod)}" for pod in pods]
        cause = listed(unready) if pods else "dind-certs wrote the caBundle, but has no pod now"
        yield Finding(
            "rotation",
            Status.WARNING,
            f"certificates are not renewed: {cause}",
            f"kubectl -n {reference.namespace} get deployment {metadata.name}-certs",
        )
