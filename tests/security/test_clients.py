"""Client certificates are verified in the handshake; rejected clients are not read as HTTP."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from security.clients import NAME, ClientCertificate, context, expired, for_a_server, issued
from service.reviews import review
from service.running import RunningService
from service.wire import connect, dial, receive, request

EVENT = "client rejected"
REJECTED = "dind_webhook_rejected_clients_total"
V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def only(made: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    made.minimum_version = made.maximum_version = version
    return made


def status(service: RunningService, client: ssl.SSLContext) -> int:
    """The answer to one review.

    Raises:
        OSError: there was none.
    """
    with connect(service, client) as connection:
        connection.sendall(request(review()))
        return receive(connection).status


def rejected(service: RunningService, client: ssl.SSLContext) -> tuple[str, dict[str, Any]]:
    """How the connection of a rejected client ends, and the log line about it.

    The end is the alert that OpenSSL received, empty where the connection was closed or cut.
    """
    before = len(service.events(EVENT))
    end = ""
    try:
        with connect(service, client) as connection:
            connection.sendall(request(review()))
            assert connection.recv(1) == b""
    except ssl.SSLError as error:
        end = error.reason or ""
    except ConnectionError:  # cut before everything was sent
        pass
    return end, service.await_event(EVENT, before + 1)[-1]


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    ("names", "common_name"),
    [((NAME,), None), ((), NAME), (("10.0.0.1", NAME), "another")],
    ids=["DNS name", "common name", "one of several"],
)
def test_clients_of_the_accepted_name_are_answered(
    guarded: RunningService,
    client_ca: trustme.CA,
    tmp_path: Path,
    *,
    names: tuple[str, ...],
    common_name: str | None,
    version: ssl.TLSVersion,
) -> None:
    before = guarded.metric(REJECTED)
    client = context(guarded, tmp_path, issued(client_ca, *names, common_name=common_name))
    assert status(guarded, only(client, version)) == 200
    assert guarded.metric(REJECTED) == before


@pytest.mark.parametrize(
    ("version", "alert"),
    [(V1_2, "HANDSHAKE_FAILURE"), (V1_3, "CERTIFICATE_REQUIRED")],
    ids=["TLS 1.2", "TLS 1.3"],
)
def test_clients_without_a_certificate_are_rejected_with_an_alert(
    guarded: RunningService, tmp_path: Path, version: ssl.TLSVersion, alert: str
) -> None:
    before = guarded.metric(REJECTED, reason="no-certificate")
    end, line = rejected(guarded, only(context(guarded, tmp_path), version))
    assert alert in end
    assert (line["reason"], line["message"]) == ("no-certificate", "it sent no certificate")
    assert guarded.metric(REJECTED, reason="no-certificate") == before + 1


def foreign(_: trustme.CA) -> ClientCertificate:
    return issued(trustme.CA(), NAME)


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    ("issue", "alert", "words"),
    [
        (foreign, "UNKNOWN_CA", "unable to get local issuer certificate"),
        (expired, "CERTIFICATE_EXPIRED", "certificate has expired"),
        (for_a_server, "UNSUPPORTED_CERTIFICATE", "unsuitable certificate purpose"),
    ],
    ids=["of another CA", "expired", "for servers"],
)
def test_certificates_that_cannot_be_trusted_are_rejected_with_the_cause(
    guarded: RunningService,
    client_ca: trustme.CA,
    tmp_path: Path,
    *,
    issue: Callable[[trustme.CA], ClientCertificate],
    alert: str,
    words: str,
    version: ssl.TLSVersion,
) -> None:
    end, line = rejected(guarded, only(context(guarded, tmp_path, issue(client_ca)), version))
    assert alert in end
    assert line["reason"] == "not-trusted"
    assert line["message"].startswith("its certificate is not trusted: ")
    assert words in line["message"]


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    "name", ["kube-apiserver.example.com", "Kube-Apiserver", "*", "kube-apiserver-kubelet-client"]
)
def test_certificates_of_another_name_are_rejected(
    guarded: RunningService,
    client_ca: trustme.CA,
    tmp_path: Path,
    name: str,
    version: ssl.TLSVersion,
) -> None:
    before = guarded.metric(REJECTED, reason="other-name")
    client = only(context(guarded, tmp_path, issued(client_ca, common_name=name)), version)
    _, line = rejected(guarded, client)
    assert line["reason"] == "other-name"
    assert line["message"] == f"its certificate is for {name}, not for {NAME}"
    assert guarded.metric(REJECTED, reason="other-name") == before + 1


def test_tls_1_3_sessions_cannot_be_resumed(
    guarded: RunningService, client_ca: trustme.CA, tmp_path: Path
) -> None:
    """A resumed session is not verified again, so the server sends no ticket."""
    client = only(context(guarded, tmp_path, issued(client_ca, NAME)), V1_3)
    with connect(guarded, client) as connection:
        connection.sendall(request(review()))
        assert receive(connection).status == 200
        assert connection.session is not None
        assert not connection.session.has_ticket


def test_resumed_tls_1_2_sessions_are_rejected(
    guarded: RunningService, client_ca: trustme.CA, tmp_path: Path
) -> None:
    client = only(context(guarded, tmp_path, issued(client_ca, NAME)), V1_2)
    with connect(guarded, client) as first:  # OpenSSL forgets the session of a connection cut off
        with (
            dial(guarded) as plain,
            client.wrap_socket(
                plain, server_hostname="127.0.0.1", session=first.session
            ) as resumed,
            suppress(ConnectionError),  # cut, at whatever moment
        ):
            resumed.sendall(request(review()))
            assert resumed.recv(1) == b""
        guarded.await_event(EVENT, reason="resumed")
        first.sendall(request(review()))
        assert receive(first).status == 200


def test_requests_of_rejected_clients_are_not_read(guarded: RunningService, tmp_path: Path) -> None:
    before = guarded.decisions()
    rejected(guarded, context(guarded, tmp_path))
    assert guarded.decisions() == before
    assert guarded.metric("dind_webhook_rejected_requests_total") == 0


def test_the_admin_port_needs_no_client_certificate(guarded: RunningService) -> None:
    assert guarded.admin.get("/readyz").status_code == 200
    assert guarded.admin.get("/metrics").status_code == 200
