"""What the replicas serve: a TLS handshake with each, at once and bounded in time."""

import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cryptography import x509

from certs.state import Replica

_SECONDS = 3.0
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Address:
    """Where a replica listens: the pod's name, its IP address and the port."""

    name: str
    ip: str
    port: int


def look_at(addresses: Sequence[Address], server_name: str) -> tuple[Replica, ...]:
    """Ask every replica for its certificate.

    Args:
        addresses: Of the ready replicas.
        server_name: What a client would call them by (SNI).
    """
    if not addresses:
        return ()
    with ThreadPoolExecutor(min(len(addresses), _AT_ONCE)) as pool:
        return tuple(pool.map(lambda address: _look(address, server_name), addresses))


def _look(address: Address, server_name: str) -> Replica:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent and nothing is believed: only the certificate's bytes are compared.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address.ip, address.port), timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=server_name) as secured,
        ):
            served = secured.getpeercert(binary_form=True) or b""
        return Replica(address.name, x509.load_der_x509_certificate(served))
    except (OSError, ValueError) as error:
        return Replica(address.name, None, f"cannot be reached: {error}")
