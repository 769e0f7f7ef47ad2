"""The serving certificate: read from a directory as a kubernetes.io/tls Secret is mounted."""

import datetime as dt
import os
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from webhook.serving.clients import verify_clients


class CertificateError(Exception):
    """A key pair that cannot be served; its text is one sentence."""


class KeyPair(NamedTuple):
    """Certificate chain and private key, as PEM."""

    certificate: bytes
    key: bytes


def read_key_pair(directory: Path) -> KeyPair:
    """Read tls.crt and tls.key, both from one moment.

    The kubelet replaces both at once: two equal readings in a row did not straddle a replacement.

    Raises:
        CertificateError: a file is missing or cannot be read.
    """
    previous = _read_files(directory)
    while (current := _read_files(directory)) != previous:
        previous = current
    return current


def _read_files(directory: Path) -> KeyPair:
    try:
        return KeyPair((directory / "tls.crt").read_bytes(), (directory / "tls.key").read_bytes())
    except OSError as error:
        raise CertificateError(f"{error.filename}: {error.strerror}") from None


def server_context(
    pair: KeyPair, now: dt.datetime, client_ca: str | None = None
) -> tuple[ssl.SSLContext, dt.datetime]:
    """Make a server's TLS context: TLS 1.2 at least.

    Args:
        pair: as read.
        now: aware; a certificate that has expired by then is an error.
        client_ca: CA certificates (PEM) that clients are verified with; None asks for nothing.

    Returns:
        The context, and when its certificate expires.

    Raises:
        CertificateError: the pair cannot be used, or has expired.
    """
    expiry = _serving_certificate(pair).not_valid_after_utc
    context = _make_context(pair, client_ca)
    if expiry <= now:
        raise CertificateError(f"the certificate in tls.crt expired at {expiry:%Y-%m-%d %H:%M} UTC")
    return context, expiry


def _make_context(pair: KeyPair, client_ca: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        with ExitStack() as files:
            context.load_cert_chain(*(_in_memory(part, files) for part in pair))
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError("tls.key is not the key of the certificate in tls.crt") from None
        raise CertificateError(f"tls.crt and tls.key cannot be used: {error}") from None
    except OSError as error:
        raise CertificateError(f"tls.crt and tls.key cannot be used: {error.strerror}") from None
    if client_ca is not None:
        verify_clients(context, client_ca)
    return context


def _serving_certificate(pair: KeyPair) -> x509.Certificate:
    """Parse both parts, since OpenSSL's own errors hardly say which of them is wrong."""
    try:
        certificate, *_chain = x509.load_pem_x509_certificates(pair.certificate)
    except (ValueError, x509.InvalidVersion):
        raise CertificateError("tls.crt does not hold certificates in PEM form") from None
    try:
        load_pem_private_key(pair.key, password=None)
    except TypeError:
        raise CertificateError("tls.key is encrypted; a key without a password is needed") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("tls.key does not hold a private key in PEM form") from None
    return certificate


def _in_memory(content: bytes, files: ExitStack) -> str:
    """Give content a path without writing it to a disk: OpenSSL reads only files."""
    descriptor = os.memfd_create("pem")
    files.callback(os.close, descriptor)
    os.write(descriptor, content)
    return f"/proc/self/fd/{descriptor}"


class Certificate:
    """The TLS context of the listener, which does not change, and the current one behind it.

    Each handshake asks for the current one (`ssl.SSLContext.sni_callback`), so that a replacement
    is one assignment: no handshake sees half of it, no connection is cut by it.

    Attributes:
        directory: of the key pair.
        pair: what is served.
        client_ca: CA certificates (PEM) that clients are verified with; None asks for nothing.
        listening: for the listener.
        expiry: of the certificate.
    """

    def __init__(self, directory: Path, now: dt.datetime, client_ca: str | None = None) -> None:
        """Read the first pair.

        Raises:
            CertificateError: it cannot be served.
        """
        self.directory = directory
        self.pair = read_key_pair(directory)
        self.client_ca = client_ca
        self.listening, self.expiry = server_context(self.pair, now, client_ca)
        self._current = self.listening
        self.listening.sni_callback = self._choose

    def _choose(
        self, handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        handshake.context = self._current

    def replace(self, pair: KeyPair, context: ssl.SSLContext, expiry: dt.datetime) -> None:
        """Serve another certificate from the next handshake on."""
        self.pair, self._current, self.expiry = pair, context, expiry

    def context_with_client_ca(self, client_ca: str) -> ssl.SSLContext:
        """Make a context for the pair in use and other CA certificates.

        The pair was examined when it came: that it may have expired since must not keep the CA
        certificates from changing.

        Raises:
            clients.ClientCAError: they cannot be used.
        """
        return _make_context(self.pair, client_ca)

    def replace_client_ca(self, client_ca: str, context: ssl.SSLContext) -> None:
        """Verify clients with other CA certificates from the next handshake on."""
        self.client_ca, self._current = client_ca, context
