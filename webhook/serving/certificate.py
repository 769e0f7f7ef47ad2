"""The serving certificate: read from a folder as a kubernetes.io/tls Secret is mounted."""

import datetime as dt
import os
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from webhook.serving import callers


class CertificateError(Exception):
    """A pair that cannot be served; its text is one sentence."""


class Pair(NamedTuple):
    """Certificate chain and key, as PEM."""

    certificate: bytes
    key: bytes


def read_pair(directory: Path) -> Pair:
    """Read tls.crt and tls.key, both from one moment.

    The kubelet swaps a folder of both at once: two equal looks in a row did not straddle a swap.

    Raises:
        CertificateError: a file is missing or cannot be read.
    """
    before = _look(directory)
    while (after := _look(directory)) != before:
        before = after
    return after


def _look(directory: Path) -> Pair:
    try:
        return Pair((directory / "tls.crt").read_bytes(), (directory / "tls.key").read_bytes())
    except OSError as error:
        raise CertificateError(f"{error.filename}: {error.strerror}") from None


def context_of(
    pair: Pair, now: dt.datetime, authorities: str | None = None
) -> tuple[ssl.SSLContext, dt.datetime]:
    """Make a server's TLS context: 1.2 at least.

    Args:
        pair: as read.
        now: aware; what has expired by then is refused.
        authorities: by which clients must be trusted, PEM; None asks them for nothing.

    Returns:
        The context, and when its certificate expires.

    Raises:
        CertificateError: the pair is not one, or has expired.
    """
    expiry = _leaf_of(pair).not_valid_after_utc
    context = _context(pair, authorities)
    if expiry <= now:
        raise CertificateError(f"the certificate in tls.crt expired at {expiry:%Y-%m-%d %H:%M} UTC")
    return context, expiry


def _context(pair: Pair, authorities: str | None) -> ssl.SSLContext:
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
    if authorities is not None:
        callers.require(context, authorities)
    return context


def _leaf_of(pair: Pair) -> x509.Certificate:
    """Parse both parts, since OpenSSL's own errors hardly say which of them is no good."""
    try:
        leaf, *_chain = x509.load_pem_x509_certificates(pair.certificate)
    except ValueError:
        raise CertificateError("tls.crt does not hold certificates in PEM form") from None
    try:
        load_pem_private_key(pair.key, password=None)
    except TypeError:
        raise CertificateError("tls.key is encrypted; a key without a password is needed") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("tls.key does not hold a private key in PEM form") from None
    return leaf


def _in_memory(content: bytes, files: ExitStack) -> str:
    """Give content a path without writing it anywhere: OpenSSL reads only files."""
    descriptor = os.memfd_create("pem")
    files.callback(os.close, descriptor)
    os.write(descriptor, content)
    return f"/proc/self/fd/{descriptor}"


class Certificate:
    """The context that the listener holds for good, and the one of the moment behind it.

    Every handshake asks for the latter as soon as the client has spoken, so that a swap is one
    assignment: no handshake sees half of it, no connection is cut by it.

    Attributes:
        directory: of the pair.
        pair: what is served.
        authorities: by which clients must be trusted, PEM; None asks them for nothing.
        listening: for the listener.
        expiry: of the certificate.
    """

    def __init__(self, directory: Path, now: dt.datetime, authorities: str | None = None) -> None:
        """Read the first pair.

        Raises:
            CertificateError: it cannot be served.
        """
        self.directory = directory
        self.pair = read_pair(directory)
        self.authorities = authorities
        self.listening, self.expiry = context_of(self.pair, now, authorities)
        self._current = self.listening
        self.listening.sni_callback = self._choose

    def _choose(
        self, handshake: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext
    ) -> None:
        handshake.context = self._current

    def swap(self, pair: Pair, context: ssl.SSLContext, expiry: dt.datetime) -> None:
        """Serve another certificate from the next handshake on."""
        self.pair, self._current, self.expiry = pair, context, expiry

    def context_trusting(self, authorities: str) -> ssl.SSLContext:
        """Make a context for the pair in use and other authorities.

        The pair was looked at when it came: that it may have expired since must not keep the
        authorities from changing.

        Raises:
            callers.ClientAuthorityError: they cannot be used.
        """
        return _context(self.pair, authorities)

    def trust(self, authorities: str, context: ssl.SSLContext) -> None:
        """Trust other authorities' clients from the next handshake on."""
        self.authorities, self._current = authorities, context
