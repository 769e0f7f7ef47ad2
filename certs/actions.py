"""What a plan can ask for, and what an action writes: the contents of one object."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from certs.certificates import pem_of, read_certificate
from certs.issuing import KeyPair, issue_ca, issue_serving_certificate
from certs.state import RotationPolicy, StoredCA


@dataclass(frozen=True, slots=True)
class AddCA:
    """Issue a CA and store it as the newest, after those that stay."""

    beside: tuple[StoredCA, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class StoreCAs:
    """Store these CAs and no others."""

    kept: tuple[StoredCA, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class PublishCABundle:
    """Make every webhook of the MutatingWebhookConfiguration trust the stored CAs."""

    pem: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class IssueServingCertificate:
    """Issue and store a serving certificate."""

    issuer: StoredCA
    reason: str


@dataclass(frozen=True, slots=True)
class ProbeReplicas:
    """Find out what every ready replica serves, then plan again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing.

    Attributes:
        until: When to plan again at the latest, on the API server's clock; None: no time is known.
        reason: What is awaited.
        blocked: Whether an administrator or another program must act first.
    """

    until: datetime | None
    reason: str
    blocked: bool = False


Write = AddCA | StoreCAs | PublishCABundle | IssueServingCertificate
Action = Write | ProbeReplicas | Wait


@dataclass(frozen=True, slots=True)
class CASecretData:
    """The whole data of the CA Secret."""

    data: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TLSSecretData:
    """The whole data of the TLS Secret."""

    data: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewCABundle:
    """The caBundle of every webhook of the MutatingWebhookConfiguration, PEM."""

    pem: bytes


Contents = CASecretData | TLSSecretData | NewCABundle


def contents(write: Write, now: datetime, policy: RotationPolicy) -> Contents:
    """Return what an action writes; issues what must be issued.

    What it issues is valid from an hour before `now`, the API server's time.
    """
    match write:
        case AddCA(beside):
            issued = issue_ca(now, validity=policy.ca_lifetime)
            return CASecretData(
                ca_secret_data([*beside, StoredCA(read_certificate(issued.pem), issued.key)])
            )
        case StoreCAs(kept):
            return CASecretData(ca_secret_data(kept))
        case PublishCABundle(pem):
            return NewCABundle(pem)
        case IssueServingCertificate(issuer):
            if issuer.key is None:
                raise ValueError("a CA without a key cannot sign")
            ca = KeyPair(pem_of(issuer.certificate), issuer.key)
            served = issue_serving_certificate(
                ca, now, dns_names=policy.names, validity=policy.serving_lifetime
            )
            return TLSSecretData(tls_secret_data(served, issuer))
        case _ as never:
            assert_never(never)


def ca_secret_data(cas: Sequence[StoredCA]) -> dict[str, bytes]:
    """Write the CA Secret's data: `<n>.crt`, and `<n>.key` of those that sign."""
    data = {}
    for number, ca in enumerate(cas, 1):
        data[f"{number}.crt"] = pem_of(ca.certificate)
        if ca.key is not None:
            data[f"{number}.key"] = ca.key
    return data


def tls_secret_data(served: KeyPair, issuer: StoredCA) -> dict[str, bytes]:
    """Write the TLS Secret's data."""
    return {"tls.crt": served.pem, "tls.key": served.key, "ca.crt": pem_of(issuer.certificate)}
