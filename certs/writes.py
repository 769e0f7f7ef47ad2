"""What an action of the plan writes: the contents of one object."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from cryptography import x509

from certs.actions import AddAuthority, IssueLeaf, KeepAuthorities, Publish, Write
from certs.authority import Authority, issue_authority, issue_leaf
from certs.pem import pem_of
from certs.plan import Policy
from certs.state import StoredAuthority, authorities_data, leaf_data


@dataclass(frozen=True, slots=True)
class AuthoritiesSecret:
    """The whole data of the CA Secret."""

    data: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LeafSecret:
    """The whole data of the TLS Secret."""

    data: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What every entry of the webhook configuration is to trust, PEM."""

    pem: bytes


Contents = AuthoritiesSecret | LeafSecret | Bundle


def contents(write: Write, now: datetime, policy: Policy) -> Contents:
    """Make what an action writes; issues what must be issued.

    Args:
        write: The action.
        now: The API server's time: certificates are valid from an hour before.
        policy: Names and lifetimes.
    """
    match write:
        case AddAuthority(beside):
            new = issue_authority(now, validity=policy.authority_lifetime)
            stored = StoredAuthority(x509.load_pem_x509_certificate(new.pem), new.key)
            return AuthoritiesSecret(authorities_data([*beside, stored]))
        case KeepAuthorities(kept):
            return AuthoritiesSecret(authorities_data(kept))
        case Publish(bundle):
            return Bundle(bundle)
        case IssueLeaf(issuer):
            if issuer.key is None:
                raise ValueError("An authority without a key issues nothing.")
            signing = Authority(pem=pem_of(issuer.certificate), key=issuer.key)
            leaf = issue_leaf(signing, now, dns_names=policy.names, validity=policy.leaf_lifetime)
            return LeafSecret(leaf_data(leaf, issuer))
        case _ as never:
            assert_never(never)
