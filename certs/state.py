"""What is stored in the cluster, and what the replicas serve, as values. No I/O, no clock."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from certs.authority import Leaf
from certs.pem import certificates_in, is_authority, issued_by, key_fits, pem_of

_CERTIFICATE_KEY = re.compile(r"([0-9]{1,9})\.crt")


@dataclass(frozen=True, slots=True)
class StoredAuthority:
    """An authority: one that signs, or, without a key, one that is only still trusted.

    Attributes:
        certificate: Its certificate.
        key: Its private key as PEM.
    """

    certificate: x509.Certificate
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """The servers' certificate, with a key that fits it and the certificate of its issuer.

    Attributes:
        certificate: The certificate.
        issuer: The authority that signed it.
        written: When the Secret last changed, on the API server's clock.
    """

    certificate: x509.Certificate
    issuer: x509.Certificate
    written: datetime


@dataclass(frozen=True, slots=True)
class Unusable:
    """There is no certificate that a server could serve; `why` goes on after "the leaf"."""

    why: str


@dataclass(frozen=True, slots=True)
class Registration:
    """The webhook configuration, as far as trust goes.

    Attributes:
        bundles: Per entry what the API server trusts: PEM, empty where there is none.
        applied: When dind-certs last changed a bundle, on the API server's clock; None where the
            bundles are not all its own.
    """

    bundles: Mapping[str, bytes]
    applied: datetime | None


@dataclass(frozen=True, slots=True)
class Replica:
    """A ready pod of the webhook.

    Attributes:
        name: The pod's.
        certificate: What it serves, None where it could not be seen.
        trouble: Why it could not be seen.
    """

    name: str
    certificate: x509.Certificate | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """All that a plan may depend on.

    Attributes:
        authorities: Newest last.
        leaf: The servers' certificate.
        registration: None where the webhook configuration does not exist.
        replicas: None where nobody has looked.
    """

    authorities: tuple[StoredAuthority, ...]
    leaf: StoredLeaf | Unusable
    registration: Registration | None
    replicas: tuple[Replica, ...] | None = None


def read_authorities(data: Mapping[str, bytes]) -> tuple[StoredAuthority, ...]:
    """Read the CA Secret: `<n>.crt`, and `<n>.key` beside it, the largest number newest.

    What is damaged is left out: a certificate with its key, or a key alone.
    """
    numbers = sorted(int(match[1]) for match in map(_CERTIFICATE_KEY.fullmatch, data) if match)
    found = []
    for number in numbers:
        certificates = certificates_in(data[f"{number}.crt"])
        if len(certificates) == 1 and is_authority(certificates[0]):
            key = data.get(f"{number}.key", b"")
            fits = key_fits(key, certificates[0])
            found.append(StoredAuthority(certificates[0], key if fits else None))
    return tuple(found)


def authorities_data(authorities: Sequence[StoredAuthority]) -> dict[str, bytes]:
    """Write the CA Secret's data."""
    data = {}
    for number, authority in enumerate(authorities, 1):
        data[f"{number}.crt"] = pem_of(authority.certificate)
        if authority.key is not None:
            data[f"{number}.key"] = authority.key
    return data


def read_leaf(data: Mapping[str, bytes], written: datetime) -> StoredLeaf | Unusable:
    """Read the TLS Secret: `tls.crt`, `tls.key`, and its issuer in `ca.crt`."""
    for name in ("tls.crt", "tls.key", "ca.crt"):
        if not data.get(name):
            return Unusable(f"has no {name}")
    certificates, issuers = certificates_in(data["tls.crt"]), certificates_in(data["ca.crt"])
    if not certificates:
        return Unusable("has a tls.crt that is not a certificate")
    if not key_fits(data["tls.key"], certificates[0]):
        return Unusable("has a tls.key that does not belong to its tls.crt")
    if len(issuers) != 1 or not issued_by(certificates[0], issuers[0]):
        return Unusable("has a ca.crt that did not issue its tls.crt")
    return StoredLeaf(certificates[0], issuers[0], written)


def leaf_data(leaf: Leaf, issuer: StoredAuthority) -> dict[str, bytes]:
    """Write the TLS Secret's data."""
    return {"tls.crt": leaf.pem, "tls.key": leaf.key, "ca.crt": pem_of(issuer.certificate)}


def bundle_of(authorities: Sequence[StoredAuthority]) -> bytes:
    """Write what the API server is to trust."""
    return b"".join(pem_of(authority.certificate) for authority in authorities)


def trusted_by(registration: Registration | None) -> tuple[x509.Certificate, ...]:
    """Read the authorities that any entry trusts, each once."""
    bundles = registration.bundles.values() if registration else ()
    certificates = [found for bundle in bundles for found in certificates_in(bundle)]
    return tuple(dict.fromkeys(found for found in certificates if is_authority(found)))
