"""Client certificates: answer only clients whose certificate an administrator's CA has signed.

All of it happens in the TLS handshake, so what other clients send is never read as HTTP. OpenSSL
verifies the chain, the dates and the purpose; the name is compared here, once per connection.
"""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from prometheus_client import CollectorRegistry, Counter

from webhook.logs import Logger

_NO_CERTIFICATE: Final = "no-certificate"
_NOT_TRUSTED: Final = "not-trusted"
_OTHER_NAME: Final = "other-name"
_RESUMED: Final = "resumed"
REASONS: Final = (_NO_CERTIFICATE, _NOT_TRUSTED, _OTHER_NAME, _RESUMED)

#: Called with one of `REASONS` and a sentence when a client is rejected.
OnRejection = Callable[[str, str], None]


class ClientCAError(Exception):
    """A file of CA certificates that cannot be used; its text is one sentence."""


def read_client_ca(path: Path) -> str:
    """Read CA certificates.

    Returns:
        The file's text, PEM.

    Raises:
        ClientCAError: the file cannot be read, or holds no certificates.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ClientCAError(f"{path}: {error.strerror}") from None
    try:
        x509.load_pem_x509_certificates(content)
        return content.decode("ascii")
    except (ValueError, x509.InvalidVersion):
        raise ClientCAError(f"{path} does not hold certificates in PEM form") from None


def verify_clients(context: ssl.SSLContext, client_ca: str) -> None:
    """Have a server's context ask for a certificate, and verify it.

    Args:
        context: of the server.
        client_ca: certificates, PEM. As in Go, any of them ends a chain, self-signed or not.

    Raises:
        ClientCAError: OpenSSL does not take them.
    """
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=client_ca)
    except ssl.SSLError as error:
        raise ClientCAError(f"the client CA certificates cannot be used: {error}") from None
    # A resumed session is not verified again, so none is offered.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def certificate_names(certificate: Mapping[str, Any]) -> list[str]:
    """Return the names of a certificate: its common names, then its DNS names and URIs.

    Args:
        certificate: as `ssl.SSLObject.getpeercert` describes it.
    """
    subject = (part for parts in certificate.get("subject", ()) for part in parts)
    common = [value for key, value in subject if key == "commonName"]
    alternative = certificate.get("subjectAltName", ())
    return common + [value for key, value in alternative if key in ("DNS", "URI")]


class VerifiedHandshake(ssl.SSLObject):
    """A handshake that fails, with a line in the log, unless the client may be answered.

    Attributes:
        client_name: name that the client's certificate must have; None accepts every name.
        on_rejection: called when it fails.
    """

    client_name: str | None
    on_rejection: OnRejection
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Go on with the handshake.

        Raises:
            ssl.SSLError: it waits for the client, or has failed.
        """
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            reason = _reason(error)
            if reason is None:
                raise
            self.on_rejection(reason, _sentence(error))
            # OpenSSL has an alert for the client that says why. The event loop sends what is
            # written only where a handshake goes on; the client ends it, or the deadline does.
            self._failure = error
            raise ssl.SSLWantReadError from error
        self._check_client()

    def _check_client(self) -> None:
        if self.session_reused:
            self._reject(_RESUMED, "it resumes a session, which would not be verified again")
        names = certificate_names(self.getpeercert() or {})
        if self.client_name is not None and self.client_name not in names:
            found = ", ".join(names) or "no name"
            self._reject(_OTHER_NAME, f"its certificate is for {found}, not for {self.client_name}")

    def _reject(self, reason: str, sentence: str) -> None:
        self.on_rejection(reason, sentence)
        raise ssl.SSLCertVerificationError(sentence)


def _reason(error: ssl.SSLError) -> str | None:
    """Why a handshake failed, where that is the client's certificate."""
    if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return _NO_CERTIFICATE
    return _NOT_TRUSTED if isinstance(error, ssl.SSLCertVerificationError) else None


def _sentence(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return "it sent no certificate"


def handshake_class(client_name: str | None, on_rejection: OnRejection) -> type[VerifiedHandshake]:
    """Make the class of a listening context's handshakes (`ssl.SSLContext.sslobject_class`)."""
    fields = {"client_name": client_name, "on_rejection": staticmethod(on_rejection)}
    return type("Handshake", (VerifiedHandshake,), fields)


def count_and_log(registry: CollectorRegistry, log: Logger) -> OnRejection:
    """Make the function that counts and logs each rejected client."""
    counter = Counter(
        "dind_webhook_rejected_clients",
        "Connections ended because of the client's certificate.",
        ["reason"],
        registry=registry,
    )
    counters = {reason: counter.labels(reason) for reason in REASONS}

    def on_rejection(reason: str, sentence: str) -> None:
        counters[reason].inc()
        log.warning("client rejected", reason=reason, message=sentence)

    return on_rejection
