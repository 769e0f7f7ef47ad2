"""The values of the rotation: the state, the policy, and the actions. No I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from msgspec import Struct

from certs.certificates import pem_of

# A rotation has two. Each costs some 700 bytes per webhook, and etcd takes 1.5 MiB per object.
MAX_CAS = 50
# The API server tells the time, and dates what is stored, in whole seconds.
CLOCK_RESOLUTION = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class StoredCA:
    """A CA that signs with its key (PEM), or, without a key, one that is only still trusted."""

    certificate: x509.Certificate
    key: bytes | None = field(default=None, repr=False)


class StoredServingCertificate(Struct, frozen=True):
    """The serving certificate, whose key fits it."""

    certificate: x509.Certificate
    issuer: x509.Certificate  # from the same Secret (ca.crt)
    written: datetime  # when the Secret last changed, on the API server's clock


class Unusable(Struct, frozen=True):
    """What is stored cannot be used; `reason` goes on after "it"."""

    reason: str


class CABundle(Struct, frozen=True):
    """A `caBundle`: its bytes, and the CAs that they hold, each once."""

    pem: bytes
    cas: tuple[x509.Certificate, ...]


class WebhookConfiguration(Struct, frozen=True):
    """The MutatingWebhookConfiguration: the caBundle per name in `webhooks[]`.

    `published` is when dind-certs last changed one, on the API server's clock; None unless
    dind-certs owns them all.
    """

    ca_bundles: Mapping[str, CABundle]
    published: datetime | None


class Replica(Struct, frozen=True):
    """A ready pod of the webhook, and what it serves; `problem` says why that is unknown."""

    name: str
    certificate: x509.Certificate | None
    problem: str = ""


class State(Struct, frozen=True):
    """All that a plan may depend on: what is stored, and what the replicas serve."""

    cas: tuple[StoredCA, ...]  # newest last
    serving: StoredServingCertificate | Unusable
    webhooks: WebhookConfiguration | None
    replicas: tuple[Replica, ...] | None = None  # None: not probed
    problems: tuple[str, ...] = ()  # what is stored and ignored, a line each; only reported
    ca_secret_obstacle: str = ""  # why it cannot be written
    tls_secret_obstacle: str = ""


class Names(Struct, frozen=True):
    """The objects of one installation; the options of `dind-certs run` describe each."""

    namespace: str
    service: str
    webhook_configuration: str
    deployment: str
    ca_secret: str
    tls_secret: str
    selector: str
    port: int


class RotationPolicy(Struct, frozen=True):
    """What the administrator chose; lifetimes count from the issue of a certificate."""

    names: tuple[str, ...]  # DNS names of the serving certificate
    propagation_delay: timedelta = timedelta(seconds=120)  # the kubelet alone takes up to 90 s
    ca_lifetime: timedelta = timedelta(days=365)
    serving_lifetime: timedelta = timedelta(days=90)

    @property
    def delay_from_date(self) -> timedelta:
        """How long the propagation delay lasts at most after the date of what is stored."""
        return self.propagation_delay + CLOCK_RESOLUTION


class AddCA(Struct, frozen=True):
    """Issue a CA and store it as the newest, after those that stay."""

    beside: tuple[StoredCA, ...]
    reason: str


class StoreCAs(Struct, frozen=True):
    """Store these CAs and no others."""

    kept: tuple[StoredCA, ...]
    reason: str


class PublishCABundle(Struct, frozen=True):
    """Make every webhook of the MutatingWebhookConfiguration trust the stored CAs."""

    pem: bytes
    reason: str


class IssueServingCertificate(Struct, frozen=True):
    """Issue and store a serving certificate."""

    issuer: StoredCA
    reason: str


class ProbeReplicas(Struct, frozen=True):
    """Find out what every ready replica serves, then plan again."""

    reason: str


class Wait(Struct, frozen=True):
    """Do nothing until a time on the API server's clock, if it is known, or until a change."""

    until: datetime | None
    reason: str
    blocked: bool = False  # whether an administrator or another program must act first


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
