"""TLS handshakes with the webhook's pods: which certificate does each serve?"""

import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from cryptography import x509
from msgspec import Struct

_TIMEOUT = 3.0  # seconds to connect, and for each read of the handshake
_PARALLEL = 32


class Address(Struct, frozen=True):
    """Where a pod listens: the pod's name, its IP address and the port."""

    pod: str
    ip: str
    port: int


class Handshake(Struct, frozen=True):
    """The result of one handshake; exactly one of the last three fields is not None."""

    address: Address
    certificate: x509.Certificate | None = None  # served; if a caBundle was given, also trusted
    problem: str | None = None  # why it failed: not TLS, or a certificate that is not trusted
    unreachable: str | None = None  # why no connection could be made


def handshakes(
    addresses: Sequence[Address], server_name: str, *, ca_bundle: str | None
) -> list[Handshake]:
    """Make a handshake with every pod, all in parallel and each bounded in time.

    `server_name` is the one that the API server uses for the webhook (SNI). `ca_bundle` is PEM and
    has at least one certificate; None: nothing is verified.
    """
    if not addresses:
        return []
    shake = partial(_handshake, context=_context(ca_bundle), server_name=server_name)
    with ThreadPoolExecutor(min(len(addresses), _PARALLEL)) as pool:
        return list(pool.map(shake, addresses))


def _context(ca_bundle: str | None) -> ssl.SSLContext:
    """Trust as Go does: any certificate of the caBundle ends a chain, self-signed or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_bundle is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=ca_bundle)
    return context


def _handshake(address: Address, context: ssl.SSLContext, server_name: str) -> Handshake:
    try:
        plain = socket.create_connection((address.ip, address.port), timeout=_TIMEOUT)
    except OSError as error:
        return Handshake(address, unreachable=error.strerror or str(error))
    try:
        with plain, context.wrap_socket(plain, server_hostname=server_name) as secured:
            served = secured.getpeercert(binary_form=True) or b""
        return Handshake(address, x509.load_der_x509_certificate(served))
    except ssl.SSLCertVerificationError as error:
        return Handshake(address, problem=error.verify_message)
    except (OSError, ValueError, x509.InvalidVersion) as error:
        return Handshake(address, problem=f"no TLS: {getattr(error, 'strerror', None) or error}")
