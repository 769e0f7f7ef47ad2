"""What the objects in the cluster hold: parses the API server's JSON, and makes Secrets' data.

Any program may have written them, so nothing that they hold raises an exception here.
"""

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from msgspec import Struct

from certs.certificates import (
    certificates_in,
    is_ca,
    is_readable,
    issued_by,
    key_of,
    pem_of,
    read_certificate,
)
from certs.issuing import KeyPair, issue_ca, issue_serving_certificate, signing_key
from certs.model import (
    MAX_CAS,
    AddCA,
    CABundle,
    IssueServingCertificate,
    Replica,
    RotationPolicy,
    SecretWrite,
    StoreCAs,
    StoredCA,
    StoredServingCertificate,
    Unusable,
    WebhookConfiguration,
)
from webhook.cluster.probe import Handshake

FIELD_MANAGER = "dind-certs"
CA_SECRET_TYPES = ("Opaque",)
TLS_SECRET_TYPES = ("kubernetes.io/tls", "Opaque")

Object = dict[str, Any]

_CERTIFICATE_KEY = re.compile(r"([0-9]{1,9})\.crt")


class StoredCAs(Struct, frozen=True):
    """What the CA Secret holds: the CAs, newest last, and a line for each thing ignored."""

    cas: tuple[StoredCA, ...]
    problems: tuple[str, ...]


def parse_ca_secret(secret: Object) -> StoredCAs:
    """Parse the CA Secret: `<n>.crt`, and `<n>.key` beside it, the largest number newest.

    A certificate that is not a CA is ignored. A CA that cannot sign what the API server accepts
    counts as one that is only trusted.
    """
    data = decoded_data(secret)
    matches = filter(None, map(_CERTIFICATE_KEY.fullmatch, data))
    numbers = [match[1] for match in sorted(matches, key=lambda match: (int(match[1]), match[1]))]
    cas: dict[x509.Certificate, StoredCA] = {}
    problems = [f"{number}.crt is one too many and is ignored" for number in numbers[:-MAX_CAS]]
    for number in numbers[-MAX_CAS:]:
        try:
            certificate = read_certificate(data[f"{number}.crt"])
            if not is_ca(certificate):
                raise ValueError("is not a CA certificate")  # noqa: TRY301
        except ValueError as error:
            problems.append(f"{number}.crt {error}; it is ignored")
            continue
        key = data.get(f"{number}.key")  # a CA may lack it
        try:
            if key is not None:
                signing_key(certificate, key)
        except ValueError as error:
            key = None
            problems.append(f"{number}.crt {error}; it is trusted, but signs nothing")
        cas.pop(certificate, None)  # the same one twice: the newer place counts
        cas[certificate] = StoredCA(certificate, key)
    return StoredCAs(tuple(cas.values()), tuple(problems))


def parse_tls_secret(secret: Object) -> StoredServingCertificate | Unusable:
    """Parse the TLS Secret: `tls.crt`, `tls.key`, and the issuer in `ca.crt`."""
    data = decoded_data(secret)
    for name in ("tls.crt", "tls.key", "ca.crt"):
        if not data.get(name):
            return Unusable(f"has no {name}")
    name = "tls.crt"
    try:
        certificate = read_certificate(data["tls.crt"])
        key_of(certificate, data["tls.key"])
        name = "ca.crt"
        issuer = read_certificate(data["ca.crt"])
    except ValueError as error:
        return Unusable(f"is damaged: {name} {error}")
    if not issued_by(certificate, issuer):
        return Unusable("has a ca.crt that did not issue its tls.crt")
    return StoredServingCertificate(certificate, issuer, written_at(secret))


def data_to_write(write: SecretWrite, now: datetime, policy: RotationPolicy) -> dict[str, bytes]:
    """Make the data of the Secret that an action writes; issue what must be issued.

    What is issued is valid from an hour before `now`, the API server's time.
    """
    match write:
        case AddCA(beside):
            issued = issue_ca(now, validity=policy.ca_lifetime)
            return ca_secret_data([*beside, StoredCA(read_certificate(issued.pem), issued.key)])
        case StoreCAs(kept):
            return ca_secret_data(kept)
        case IssueServingCertificate(issuer):
            ca = KeyPair(pem_of(issuer.certificate), issuer.key or b"")
            served = issue_serving_certificate(
                ca, now, dns_names=policy.names, validity=policy.serving_lifetime
            )
            return {"tls.crt": served.pem, "tls.key": served.key, "ca.crt": ca.pem}


def ca_secret_data(cas: Sequence[StoredCA]) -> dict[str, bytes]:
    """Make the data of the CA Secret, as `parse_ca_secret` reads it."""
    data = {}
    for number, ca in enumerate(cas, 1):
        data[f"{number}.crt"] = pem_of(ca.certificate)
        if ca.key is not None:
            data[f"{number}.key"] = ca.key
    return data


def write_obstacle(secret: Object, types: Sequence[str]) -> str:
    """Say why a Secret cannot be written, whatever it holds; empty if it can."""
    if secret.get("immutable"):
        return "is immutable"
    kind = secret.get("type", "Opaque")
    return "" if kind in types else f"has the type {kind}, expected {types[0]}"


def decoded_data(secret: Object) -> dict[str, bytes]:
    """Decode a Secret's data."""
    return {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}


def written_at(stored: Object) -> datetime:
    """Return when an object last changed: the API server notes that per manager of its fields."""
    metadata = stored["metadata"]
    times = [managed.get("time") for managed in metadata.get("managedFields") or []]
    known = [datetime.fromisoformat(time) for time in times if time]
    return max(known or [datetime.fromisoformat(metadata["creationTimestamp"])])


def parse_ca_bundle(pem: bytes) -> CABundle:
    """Parse a caBundle; what is not a CA is left out, and so is all of one that holds too many."""
    cas = tuple(dict.fromkeys(ca for ca in certificates_in(pem) if is_ca(ca)))
    return CABundle(pem, cas if len(cas) <= MAX_CAS else ())


def parse_webhook_configuration(configuration: Object) -> WebhookConfiguration:
    """Parse a MutatingWebhookConfiguration."""
    ca_bundles = {
        webhook["name"]: parse_ca_bundle(
            _decoded((webhook.get("clientConfig") or {}).get("caBundle") or "")
        )
        for webhook in configuration.get("webhooks") or []
    }
    return WebhookConfiguration(ca_bundles, _published(configuration, ca_bundles.keys()))


def _published(configuration: Object, webhooks: Collection[str]) -> datetime | None:
    """Return when dind-certs last changed a caBundle; None unless it owns every webhook's."""
    for managed in configuration["metadata"].get("managedFields") or []:
        if (managed.get("manager"), managed.get("operation")) == (FIELD_MANAGER, "Apply"):
            owned = (managed.get("fieldsV1") or {}).get("f:webhooks") or {}
            if all(_owns_ca_bundle(owned.get(f'k:{{"name":"{name}"}}')) for name in webhooks):
                # A program that writes an object back may drop a time; then the object's last
                # change counts, which is never earlier.
                time = managed.get("time")
                return datetime.fromisoformat(time) if time else written_at(configuration)
    return None


def _owns_ca_bundle(fields: Mapping[str, Any] | None) -> bool:
    return "f:caBundle" in ((fields or {}).get("f:clientConfig") or {})


def ready_pods(pods: Object) -> Iterator[tuple[str, str]]:
    """List the name and the IP address of every pod that is ready and is not being deleted."""
    for pod in pods["items"]:
        status = pod.get("status") or {}
        ready = any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in status.get("conditions") or []
        )
        if ready and status.get("podIP") and "deletionTimestamp" not in pod["metadata"]:
            yield pod["metadata"]["name"], status["podIP"]


def parse_handshake(handshake: Handshake) -> Replica:
    """Parse what a pod serves."""
    name, served = handshake.address.pod, handshake.certificate
    if served is None:
        reason = handshake.problem or handshake.unreachable
        return Replica(name, None, f"cannot be probed: {reason}")
    if not is_readable(served):
        return Replica(name, None, "serves a certificate that cannot be read")
    return Replica(name, served)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""
