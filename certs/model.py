"""The values of the rotation: the state, the policy, and the actions. No I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509

from certs.certificates import pem_of
from certs.issuing import CA_VALIDITY, SERVING_VALIDITY

# A rotation has two. Each costs some 700 bytes per webhook, and etcd takes 1.5 MiB per object.
MAX_CAS = 50
# The API server tells the time, and dates what is stored, in whole seconds.
CLOCK_RESOLUTION = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class StoredCA:
    """A CA that signs with its key (PEM), or, without a key, one that is only still trusted."""

    certificate: x509.Certificate
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StoredServingCertificate:
    """The serving certificate, whose key fits it.

    Attributes:
        issuer: The CA that signed it, from the same Secret (ca.crt).
        written: When the Secret last changed, on the API server's clock.
    """

    certificate: x509.Certificate
    issuer: x509.Certificate
    written: datetime


@dataclass(frozen=True, slots=True)
class Unusable:
    """What is stored cannot be used; `reason` goes on after "it"."""

    reason: str


@dataclass(frozen=True, slots=True)
class CABundle:
    """A `caBundle`: its bytes, and the CAs that they hold, each once."""

    pem: bytes
    cas: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class WebhookConfiguration:
    """The MutatingWebhookConfiguration, as far as trust goes.

    Attributes:
        ca_bundles: The caBundle per name in `webhooks[]`.
        published: When dind-certs last changed a caBundle, on the API server's clock; None unless
            dind-certs owns them all.
    """

    ca_bundles: Mapping[str, CABundle]
    published: datetime | None


@dataclass(frozen=True, slots=True)
class Replica:
    """A ready pod of the webhook, and what it serves; `problem` says why that is unknown."""

    name: str
    certificate: x509.Certificate | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """All that a plan may depend on: what is stored, and what the replicas serve.

    Attributes:
        cas: Newest last.
        webhooks: None if the MutatingWebhookConfiguration does not exist.
        replicas: None if the replicas were not probed.
        problems: What is stored and ignored, a line each; no plan depends on it.
        ca_secret_obstacle: Why the CA Secret cannot be written; empty if it can.
        tls_secret_obstacle: Why the TLS Secret cannot be written; empty if it can.
    """

    cas: tuple[StoredCA, ...]
    serving: StoredServingCertificate | Unusable
    webhooks: WebhookConfiguration | None
    replicas: tuple[Replica, ...] | None = None
    problems: tuple[str, ...] = ()
    ca_secret_obstacle: str = ""
    tls_secret_obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """The objects of one installation; the options of `dind-certs run` describe each."""

    namespace: str
    service: str
    webhook_configuration: str
    deployment: str
    ca_secret: str
    tls_secret: str
    selector: str
    port: int


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """What the administrator chose; the lifetimes count from the issue of a certificate.

    Attributes:
        names: DNS names of the serving certificate.
        propagation_delay: How long a caBundle takes to reach every API server, and a Secret every
            replica. The kubelet takes up to 90 s to deliver a Secret.
    """

    names: tuple[str, ...]
    propagation_delay: timedelta = timedelta(seconds=120)
    ca_lifetime: timedelta = CA_VALIDITY
    serving_lifetime: timedelta = SERVING_VALIDITY

    @property
    def delay_from_date(self) -> timedelta:
        """How long the propagation delay lasts at most after the date of what is stored."""
        return self.propagation_delay + CLOCK_RESOLUTION


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


SecretWrite = AddCA | StoreCAs | IssueServingCertificate
Write = SecretWrite | PublishCABundle
Action = Write | ProbeReplicas | Wait


def ca_bundle_of(cas: Sequence[StoredCA]) -> bytes:
    """Write the caBundle that trusts these CAs."""
    return b"".join(pem_of(ca.certificate) for ca in cas)


def trusted_cas(webhooks: WebhookConfiguration | None) -> tuple[x509.Certificate, ...]:
    """Return the CAs that any caBundle trusts, each once."""
    ca_bundles = webhooks.ca_bundles.values() if webhooks else ()
    return tuple(dict.fromkeys(ca for ca_bundle in ca_bundles for ca in ca_bundle.cas))
