"""Who may call: only a client whose certificate one of the operator's authorities has signed.

All of it happens in the TLS handshake, so what a stranger sends is never read as HTTP. OpenSSL
verifies the chain, the dates and the purpose; the name is looked at here, once per connection.
"""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from prometheus_client import CollectorRegistry, Counter

from webhook.serving.logs import Logger

_NO_CERTIFICATE: Final = "no-certificate"
_NOT_TRUSTED: Final = "not-trusted"
_OTHER_NAME: Final = "other-name"
_RESUMED: Final = "resumed"
WHYS: Final = (_NO_CERTIFICATE, _NOT_TRUSTED, _OTHER_NAME, _RESUMED)

#: Told why a caller was refused: one of `WHYS`, and a sentence.
Denied = Callable[[str, str], None]


class ClientAuthorityError(Exception):
    """A file of client authorities that is no good; its text is one sentence."""


def read_authorities(path: Path) -> str:
    """Read the authorities' certificates.

    Raises:
        ClientAuthorityError: the file cannot be read, or holds no certificates.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ClientAuthorityError(f"{path}: {error.strerror}") from None
    try:
        x509.load_pem_x509_certificates(content)
        return content.decode("ascii")
    except ValueError:
        raise ClientAuthorityError(f"{path} does not hold certificates in PEM form") from None


def require(context: ssl.SSLContext, authorities: str) -> None:
    """Have a server's context ask for a certificate, and verify it.

    Args:
        context: of the server.
        authorities: certificates, PEM. As in Go, any of them ends a chain, self-signed or not.

    Raises:
        ClientAuthorityError: OpenSSL does not take them.
    """
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=authorities)
    except ssl.SSLError as error:
        raise ClientAuthorityError(f"the client authorities cannot be used: {error}") from None
    # A resumed session is not verified anew, so none is offered.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def is_called(certificate: Mapping[str, Any], name: str) -> bool:
    """Whether a certificate has a name, exactly: as common name, DNS name or URI.

    Args:
        certificate: as `ssl.SSLObject.getpeercert` describes it.
        name: the name.
    """
    return name in names_of(certificate)


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """The names of a certificate: its common names, then its DNS names and URIs."""
    subject = (part for parts in certificate.get("subject", ()) for part in parts)
    common = [value for key, value in subject if key == "commonName"]
    alternative = certificate.get("subjectAltName", ())
    return common + [value for key, value in alternative if key in ("DNS", "URI")]


class CheckedHandshake(ssl.SSLObject):
    """A handshake that fails, and says so, unless the caller may call.

    Attributes:
        name: what the caller's certificate must be called; None allows every name.
        refused: told why it failed.
    """

    name: str | None
    refused: Denied
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
            why = _why(error)
            if why is None:
                raise
            self.refused(why, _sentence(error))
            # OpenSSL has an alert for the client that says why. asyncio sends what is written only
            # where a handshake is to go on; the client ends it, or the handshake's deadline does.
            self._failure = error
            raise ssl.SSLWantReadError from error
        self._check()

    def _check(self) -> None:
        if self.session_reused:
            self._fail(_RESUMED, "it resumes a session, which would not be verified anew")
        certificate = self.getpeercert() or {}
        if self.name is not None and not is_called(certificate, self.name):
            names = ", ".join(names_of(certificate)) or "nothing"
            self._fail(_OTHER_NAME, f"its certificate is for {names}, not for {self.name}")

    def _fail(self, why: str, sentence: str) -> None:
        self.refused(why, sentence)
        raise ssl.SSLCertVerificationError(sentence)


def _why(error: ssl.SSLError) -> str | None:
    """Why a handshake failed, where that is the client's certificate."""
    if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return _NO_CERTIFICATE
    return _NOT_TRUSTED if isinstance(error, ssl.SSLCertVerificationError) else None


def _sentence(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return "it shows no certificate"


def checking(name: str | None, refused: Denied) -> type[CheckedHandshake]:
    """The class of a listening context's handshakes (`ssl.SSLContext.sslobject_class`)."""
    return type("Handshake", (CheckedHandshake,), {"name": name, "denied": staticmethod(refused)})


def recording(registry: CollectorRegistry, log: Logger) -> Denied:
    """Counts and logs each refusal."""
    counter = Counter(
        "dind_webhook_refused_callers",
        "Connections ended because of the caller's certificate.",
        ["why"],
        registry=registry,
    )
    counters = {why: counter.labels(why) for why in WHYS}

    def refused(why: str, sentence: str) -> None:
        counters[why].inc()
        log.warning("caller refused", why=why, message=sentence)

    return refused
