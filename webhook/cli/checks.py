"""What can be said of an installation from its webhook configuration and from the namespaces."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509

from certs.certificates import certificates_in, fingerprint, pem_of
from webhook.cli import registration
from webhook.cli.objects import Configuration, Namespace, ServiceReference, Version
from webhook.cli.verdicts import Check, Verdict, listed, validity
from webhook.injection.optin import INJECT

POD_SECURITY = "pod-security.kubernetes.io/enforce"
STRICT_LEVELS = ("baseline", "restricted")
_OLDEST = (1, 30)
_CERT_MANAGER = "cert-manager.io/inject-ca-from"


def server(version: Version) -> Check:
    """Check the API server's version."""
    name = "Kubernetes"
    try:
        number = int(version.major), int(version.minor.rstrip("+"))
    except ValueError:
        return Check(name, Verdict.UNKNOWN, f"version {version.git_version} cannot be read")
    if number < _OLDEST:
        found = f"{version.git_version} has no native sidecars and match conditions by default"
        return Check(name, Verdict.BROKEN, found, "Use Kubernetes 1.30 or newer.")
    return Check(name, Verdict.OK, version.git_version)


def entries(configuration: Configuration) -> Iterator[Check]:
    """Check that the entries are the chart's."""
    name = "entries"
    restore = (
        "Bring the chart's own back: helm upgrade, or the next sync of your GitOps tool; a change "
        "that you want belongs into the chart's values."
    )
    faults = list(registration.faults(configuration))
    edits = list(registration.edits(configuration))
    if faults:
        yield Check(name, Verdict.BROKEN, "; ".join(faults), restore)
    if edits:
        found = f"not as the chart makes them: {'; '.join(edits)}"
        yield Check(name, Verdict.WARNING, found, restore)
    if not faults and not edits:
        yield Check(
            name, Verdict.OK, f"{listed(list(registration.NAMES))}, as the chart makes them"
        )


def failure_policy(configuration: Configuration) -> Check:
    """Check what happens to opted-in pods while the webhook is away."""
    name = "failurePolicy"
    ignoring = [w.name for w in configuration.webhooks if w.failure_policy == "Ignore"]
    if ignoring:
        return Check(
            name,
            Verdict.WARNING,
            f"Ignore in {listed(ignoring)}: while the webhook is away, opted-in pods start without "
            "Docker",
            "Set webhook.failurePolicy to Fail: they then wait, and no other pod does.",
        )
    return Check(name, Verdict.OK, "Fail: no opted-in pod starts without Docker")


def bundles(configuration: Configuration) -> dict[bytes, list[str]]:
    """Tell what the entries trust: each bundle with the entries that have it."""
    found: dict[bytes, list[str]] = {}
    for webhook in configuration.webhooks:
        found.setdefault(webhook.client_config.ca_bundle.strip(), []).append(webhook.name)
    return found


def readable(bundle: bytes) -> str:
    """Write the certificates that a bundle holds as PEM; empty where it holds none."""
    return b"".join(map(pem_of, certificates_in(bundle))).decode()


def bundle(configuration: Configuration, service: ServiceReference, now: datetime) -> Check:
    """Check what the entries trust."""
    name = "caBundle"
    fix = repair(configuration, service)
    found = bundles(configuration)
    for content, holders in found.items():
        if not content:
            told = f"missing in {listed(holders)}: the API server trusts no certificate of ours"
            return Check(name, Verdict.BROKEN, told, fix)
        if not certificates_in(content):
            told = f"holds no readable certificate in {listed(holders)}"
            return Check(name, Verdict.BROKEN, told, fix)
    if len(found) != 1:
        told = "differs between the entries: " + " and ".join(map(listed, found.values()))
        return Check(name, Verdict.BROKEN, told, fix)
    authorities = certificates_in(next(iter(found)))
    judged = [validity(authority, now) for authority in authorities]
    # During a rotation the old one is beside the new one: the best of them counts.
    verdict = min((verdict for verdict, _ in judged), key=list(Verdict).index)
    told = "; ".join(
        f"{_named(authority)} {dates}"
        for authority, (_, dates) in zip(authorities, judged, strict=True)
    )
    return Check(name, verdict, told, fix if verdict is not Verdict.OK else "")


def repair(configuration: Configuration, service: ServiceReference) -> str:
    """Say who repairs bundle and certificate, and where to see why that did not happen."""
    namespace, name = service.namespace, configuration.metadata.name
    if _CERT_MANAGER in configuration.metadata.annotations:
        return (
            f"cert-manager repairs it: kubectl -n {namespace} describe certificate,"
            "certificaterequest; the bundle is the work of its cainjector."
        )
    return (
        f"In mode self, {name}-certs repairs it within seconds; if it does not, its log says why: "
        f"kubectl -n {namespace} logs deployment/{name}-certs. In mode provided, bring "
        "certificates.provided.caBundle and the Secret in line."
    )


def pod_security(namespaces: Sequence[Namespace]) -> Check:
    """Check that opted-in namespaces let a sidecar in."""
    name = "PodSecurity"
    opted_in = [n.metadata for n in namespaces if n.metadata.labels.get(INJECT) == "true"]
    refusing = [
        f"{metadata.name} ({metadata.labels[POD_SECURITY]})"
        for metadata in opted_in
        if metadata.labels.get(POD_SECURITY) in STRICT_LEVELS
    ]
    if refusing:
        return Check(
            name,
            Verdict.WARNING,
            f"opted in, and refuses a privileged sidecar: {listed(refusing)}",
            f"kubectl label --overwrite namespace NAME {POD_SECURITY}=privileged, or a profile "
            "with a runtimeClassName and privileged: false.",
        )
    count = len(opted_in)
    told = f"{count or 'no'} opted-in namespace{'' if count == 1 else 's'}"
    return Check(name, Verdict.OK, f"{told}, none of which refuses a privileged sidecar")


def namespace_labels(namespaces: Sequence[Namespace], excluded: set[str]) -> Check:
    """Check that every label dind.io/inject means something."""
    name = "labels"
    meaningless = [
        f"{n.metadata.name} ({INJECT}={n.metadata.labels[INJECT]})"
        for n in namespaces
        if n.metadata.labels[INJECT] not in ("true", "false")
    ]
    if meaningless:
        found = f"counts as no label at all: {listed(meaningless)}"
        return Check(name, Verdict.WARNING, found, 'Allowed are "true" and "false".')
    ineffective = [
        n.metadata.name
        for n in namespaces
        if n.metadata.name in excluded and n.metadata.labels[INJECT] == "true"
    ]
    if ineffective:
        found = f"labelled {INJECT}=true, and excluded all the same: {listed(ineffective)}"
        return Check(name, Verdict.WARNING, found, "Use another namespace, and remove the label.")
    return Check(name, Verdict.OK, f'{INJECT} is "true" or "false" wherever it is set')


def _named(certificate: x509.Certificate) -> str:
    """Name an authority by its fingerprint: subjects are alike."""
    return f"authority {fingerprint(certificate)}"
