"""What a serving pod answers to a client that trusts as the API server does: a TLS handshake."""

import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509
from msgspec import Struct

_SECONDS = 3.0
_AT_ONCE = 16


class Address(Struct, frozen=True):
    """Where a pod listens."""

    pod: str
    ip: str
    port: int


class Served(Struct, frozen=True):
    """What came of a handshake.

    Attributes:
        address: with whom.
        certificate: what was served and is trusted, None where it is not.
        problem: why it is not trusted, None where it is, or where nobody could be reached.
        unreachable: why nobody could be reached from here.
    """

    address: Address
    certificate: x509.Certificate | None = None
    problem: str | None = None
    unreachable: str | None = None


def look_at(addresses: Sequence[Address], bundle: str, server_name: str) -> list[Served]:
    """Shake hands with every pod at once.

    Args:
        addresses: of the pods.
        bundle: PEM certificates to trust, at least one.
        server_name: what the API server calls them by.
    """
    if not addresses:
        return []
    context = _context(bundle)
    with ThreadPoolExecutor(min(len(addresses), _AT_ONCE)) as pool:
        return list(pool.map(lambda address: _look(address, context, server_name), addresses))


def _context(bundle: str) -> ssl.SSLContext:
    """Trust as Go does: any certificate of the bundle ends a chain, self-signed or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=bundle)
    return context


def _look(address: Address, context: ssl.SSLContext, server_name: str) -> Served:
    try:
        plain = socket.create_connection((address.ip, address.port), timeout=_SECONDS)
    except OSError as error:
        return Served(address, unreachable=error.strerror or str(error))
    try:
        with plain, context.wrap_socket(plain, server_hostname=server_name) as secured:
            served = secured.getpeercert(binary_form=True) or b""
        return Served(address, x509.load_der_x509_certificate(served))
    except ssl.SSLCertVerificationError as error:
        return Served(address, problem=error.verify_message)
    except (OSError, ValueError) as error:
        return Served(address, problem=f"no TLS: {getattr(error, 'strerror', None) or error}")
