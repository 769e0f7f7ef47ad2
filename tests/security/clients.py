"""Clients that may call a guarded service, and clients that may not."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from service.running import RunningService

from certs.issuing import KeyPair, issue_serving_certificate

NAME = "kube-apiserver"  # of the caller that the tests let in

Shown = tuple[bytes, bytes]
"""A certificate and its key, PEM."""


def issued(authority: trustme.CA, *names: str, common_name: str | None = None) -> Shown:
    """A client's certificate, with DNS names, or with a common name alone."""
    leaf = authority.issue_cert(*names, common_name=common_name)
    return b"".join(pem.bytes() for pem in leaf.cert_chain_pems), leaf.private_key_pem.bytes()


def expired(authority: trustme.CA) -> Shown:
    """The right name, too late."""
    leaf = authority.issue_cert(NAME, not_after=datetime.now(UTC) - timedelta(days=1))
    return leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()


def for_a_server(authority: trustme.CA) -> Shown:
    """The right name, issued for a server and not for a client."""
    signer = KeyPair(authority.cert_pem.bytes(), authority.private_key_pem.bytes())
    leaf = issue_serving_certificate(
        signer, datetime.now(UTC), dns_names=[NAME], validity=timedelta(hours=1)
    )
    return leaf.pem, leaf.key


def context(service: RunningService, folder: Path, shown: Shown | None = None) -> ssl.SSLContext:
    """A client's context that trusts a service, and shows it a certificate.

    Args:
        service: the first certificate of which is trusted.
        folder: for the files that OpenSSL wants.
        shown: what is shown; None shows nothing.
    """
    made = ssl.create_default_context(cadata=service.ca.pem.decode())
    if shown is not None:
        path = folder / "client.pem"
        path.write_bytes(b"".join(shown))
        made.load_cert_chain(path)
    return made
