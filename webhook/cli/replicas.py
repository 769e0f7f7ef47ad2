"""The serving pods behind a webhook configuration: their Service, readiness and certificates."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from webhook.cli import checks
from webhook.cli.live import LiveCluster
from webhook.cli.objects import (
    Configuration,
    EndpointSlice,
    LivePod,
    Service,
    ServicePort,
    ServiceReference,
)
from webhook.cli.verdicts import Check, Verdict, listed, validity
from webhook.cluster.probe import Address, Handshake, handshakes

_CERTIFICATES = "app.kubernetes.io/component=certificates"
_INSTANCE = "app.kubernetes.io/instance"
_ROTATION = "dind-certs"  # as a manager of fields


def look(
    cluster: LiveCluster, configuration: Configuration, called: ServiceReference, now: datetime
) -> Iterator[Check]:
    """Check whom the API server reaches, and whether it trusts them."""
    service = cluster.service(called.namespace, called.name)
    check, port = _service(service, called)
    yield check
    if service is None or port is None:
        return
    selector = ",".join(f"{key}={value}" for key, value in service.spec.selector.items())
    pods = cluster.pods(called.namespace, selector)
    addresses = _ready(cluster.endpoint_slices(called.namespace, called.name), port)
    yield _endpoints(addresses, pods, called)
    yield from _certificates(configuration, addresses, called, now)
    yield from _rotation(cluster, configuration, called)


def _service(service: Service | None, called: ServiceReference) -> tuple[Check, ServicePort | None]:
    name, told = "Service", f"{called.namespace}/{called.name}"
    fix = "Bring the chart's own back: helm upgrade."
    if service is None:
        return Check(name, Verdict.BROKEN, f"{told} does not exist", fix), None
    for port in service.spec.ports:
        if port.port == called.port:
            return Check(name, Verdict.OK, f"{told}, port {called.port}"), port
    ports = listed([str(port.port) for port in service.spec.ports])
    found = f"{told} has no port {called.port}, which the entries call; it has {ports}"
    return Check(name, Verdict.BROKEN, found, fix), None


def _ready(slices: Sequence[EndpointSlice], port: ServicePort) -> list[Address]:
    """List the addresses of ready endpoints, at the port of the pods."""
    return [
        Address(endpoint.target_ref.name if endpoint.target_ref else "", address, behind.port)
        for part in slices
        for behind in part.ports or ()
        if (behind.name or "") == (port.name or "") and behind.port is not None
        for endpoint in part.endpoints or ()
        if endpoint.conditions.ready is not False
        for address in endpoint.addresses[:1]  # the others are of the same pod
    ]


def _endpoints(
    addresses: Sequence[Address], pods: Sequence[LivePod], called: ServiceReference
) -> Check:
    name = "endpoints"
    unready = [f"{pod.metadata.name} {pod.state}" for pod in pods if not pod.ready]
    fix = (
        f"kubectl -n {called.namespace} describe pods says what it waits for; a missing Secret "
        "means that no certificate was issued. A pod that starts again and again says why in its "
        "log."
    )
    if not addresses and len(unready) < len(pods):
        found = "none, though pods are ready: the Service does not lead to them"
        return Check(name, Verdict.BROKEN, found, "kubectl get endpointslices says more.")
    if not addresses:
        found = f"no pod is ready; {listed(unready) or 'there is no pod at all'}"
        return Check(name, Verdict.BROKEN, found, fix)
    found = f"{len(addresses)} ready"
    if unready:
        return Check(name, Verdict.WARNING, f"{found}; {listed(unready)}", fix)
    return Check(name, Verdict.OK, found)


def _certificates(
    configuration: Configuration,
    addresses: Sequence[Address],
    called: ServiceReference,
    now: datetime,
) -> Iterator[Check]:
    name = f"{called.name}.{called.namespace}.svc"
    fix = checks.repair(configuration, called)
    for bundle in checks.bundles(configuration):
        pem = checks.readable(bundle)
        if not pem:
            continue  # told already
        for answer in handshakes(addresses, name, ca_bundle=pem):
            yield _certificate(answer, now, fix)


def _certificate(answer: Handshake, now: datetime, fix: str) -> Check:
    name = "certificate"
    who = f"{answer.address.pod or answer.address.ip}"
    if answer.certificate is not None:
        verdict, dates = validity(answer.certificate, now)
        hint = fix if verdict is not Verdict.OK else ""
        return Check(name, verdict, f"{who} serves one that is trusted, {dates}", hint)
    if answer.problem is not None:
        found = f"{who} serves one that the API server does not trust: {answer.problem}"
        return Check(name, Verdict.BROKEN, found, fix)
    where = f"{answer.address.ip}:{answer.address.port}"
    found = f"{who} ({where}) is not reachable from here: {answer.unreachable}"
    return Check(name, Verdict.UNKNOWN, found, "helm test looks from inside the cluster.")


def _rotation(
    cluster: LiveCluster, configuration: Configuration, called: ServiceReference
) -> Iterator[Check]:
    """Check who renews, where that is a pod of the chart's."""
    name = "renewal"
    instance = configuration.metadata.labels.get(_INSTANCE)
    selector = _CERTIFICATES + (f",{_INSTANCE}={instance}" if instance else "")
    pods = cluster.pods(called.namespace, selector)
    if any(pod.ready for pod in pods):
        yield Check(name, Verdict.OK, "a pod of dind-certs is ready")
        return
    managers = [managed.manager for managed in configuration.metadata.managed_fields]
    if pods or _ROTATION in managers:
        unready = [f"{pod.metadata.name} {pod.state}" for pod in pods]
        yield Check(
            name,
            Verdict.WARNING,
            "nobody renews or repairs certificates: "
            + (listed(unready) or "dind-certs wrote the caBundle, and has no pod any more"),
            f"kubectl -n {called.namespace} get deployment {configuration.metadata.name}-certs",
        )
