"""What a plan can ask for. Each action but the last two is one write to one object."""

from dataclasses import dataclass
from datetime import datetime

from certs.state import StoredAuthority


@dataclass(frozen=True, slots=True)
class AddAuthority:
    """Store a new authority as the newest, after those that stay."""

    beside: tuple[StoredAuthority, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class KeepAuthorities:
    """Store these authorities and no others."""

    kept: tuple[StoredAuthority, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Make every entry of the webhook configuration trust the stored authorities."""

    bundle: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class IssueLeaf:
    """Store a new leaf."""

    issuer: StoredAuthority
    reason: str


@dataclass(frozen=True, slots=True)
class LookAtReplicas:
    """See what every ready replica serves, then plan again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing.

    Attributes:
        until: When to plan again at the latest, on the API server's clock; None: no time is known.
        reason: What is awaited.
        blocked: Whether somebody else must act first.
    """

    until: datetime | None
    reason: str
    blocked: bool = False


Write = AddAuthority | KeepAuthorities | Publish | IssueLeaf
Action = Write | LookAtReplicas | Wait
