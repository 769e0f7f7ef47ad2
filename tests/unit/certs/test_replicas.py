"""Handshakes with real servers on loopback."""

import socket
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from unit.certs.test_handshakes import serving

from certs.authority import issue_authority, issue_leaf
from certs.replicas import Address, look_at
from certs.state import Replica

NOW = datetime.now(UTC)


def test_a_replicas_certificate_is_seen_whoever_issued_it(tmp_path: Path) -> None:
    leaf = issue_leaf(issue_authority(NOW), NOW, dns_names=["hook"])
    (tmp_path / "crt").write_bytes(leaf.pem)
    (tmp_path / "key").write_bytes(leaf.key)
    with serving(tmp_path / "crt", tmp_path / "key") as (ip, port):
        seen = look_at([Address("hook-0", ip, port)], "hook.ci.svc")
    assert seen == (Replica("hook-0", x509.load_pem_x509_certificate(leaf.pem)),)


def test_a_replica_that_cannot_be_reached_is_named_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = Address("hook-0", *closed.getsockname())
    (replica,) = look_at([address], "hook.ci.svc")
    assert (replica.name, replica.certificate) == ("hook-0", None)
    assert replica.trouble.startswith("cannot be reached: ")
    assert "refused" in replica.trouble


def test_nobody_is_asked_where_nobody_is() -> None:
    assert look_at([], "hook.ci.svc") == ()
