"""Client certificates that a service accepts, and others."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from service.running import RunningService

from certs.issuing import KeyPair, issue_serving_certificate

NAME = "kube-apiserver"  # of the client that is accepted

ClientCertificate = tuple[bytes, bytes]
"""A certificate and its key, PEM."""


def issued(ca: trustme.CA, *names: str, common_name: str | None = None) -> ClientCertificate:
    """A client certificate with DNS names, or with a common name alone."""
    leaf = ca.issue_cert(*names, common_name=common_name)
    return b"".join(pem.bytes() for pem in leaf.cert_chain_pems), leaf.private_key_pem.bytes()


def expired(ca: trustme.CA) -> ClientCertificate:
    """A certificate of the accepted name that has expired."""
    leaf = ca.issue_cert(NAME, not_after=datetime.now(UTC) - timedelta(days=1))
    return leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()


def for_a_server(ca: trustme.CA) -> ClientCertificate:
    """A certificate of the accepted name for servers only."""
    signer = KeyPair(ca.cert_pem.bytes(), ca.private_key_pem.bytes())
    certificate = issue_serving_certificate(
        signer, datetime.now(UTC), dns_names=[NAME], validity=timedelta(hours=1)
    )
    return certificate.pem, certificate.key


def context(
    service: RunningService, directory: Path, certificate: ClientCertificate | None = None
) -> ssl.SSLContext:
    """A client's TLS context.

    Args:
        service: trusted by its first CA.
        directory: directory for the files that OpenSSL reads.
        certificate: of the client; None: it has none.
    """
    made = ssl.create_default_context(cadata=service.ca.pem.decode())
    if certificate is not None:
        path = directory / "client.pem"
        path.write_bytes(b"".join(certificate))
        made.load_cert_chain(path)
    return made
