"""Who may call is decided in the handshake: nothing of a stranger's is read as HTTP."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from security.clients import NAME, Shown, context, expired, for_a_server, issued
from service.reviews import review
from service.running import RunningService
from service.wire import connect, dial, receive, request

EVENT = "caller refused"
DENIED = "dind_webhook_rejected_clients_total"
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


def refused(service: RunningService, client: ssl.SSLContext) -> tuple[str, dict[str, Any]]:
    """How the connection of a client that may not call ends, and what the log says of it.

    The end is what OpenSSL was told, or nothing where the connection was closed or cut.
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
    [((NAME,), None), ((), NAME), (("10.0.0.1", NAME), "somebody")],
    ids=["DNS name", "common name", "one of several"],
)
def test_who_is_called_so_may_call(
    guarded: RunningService,
    authority: trustme.CA,
    tmp_path: Path,
    *,
    names: tuple[str, ...],
    common_name: str | None,
    version: ssl.TLSVersion,
) -> None:
    before = guarded.metric(DENIED)
    client = context(guarded, tmp_path, issued(authority, *names, common_name=common_name))
    assert status(guarded, only(client, version)) == 200
    assert guarded.metric(DENIED) == before


@pytest.mark.parametrize(
    ("version", "alert"),
    [(V1_2, "HANDSHAKE_FAILURE"), (V1_3, "CERTIFICATE_REQUIRED")],
    ids=["TLS 1.2", "TLS 1.3"],
)
def test_without_a_certificate_a_client_is_told_what_is_missing(
    guarded: RunningService, tmp_path: Path, version: ssl.TLSVersion, alert: str
) -> None:
    before = guarded.metric(DENIED, why="no-certificate")
    end, line = refused(guarded, only(context(guarded, tmp_path), version))
    assert alert in end
    assert (line["why"], line["message"]) == ("no-certificate", "it shows no certificate")
    assert guarded.metric(DENIED, why="no-certificate") == before + 1


def foreign(_: trustme.CA) -> Shown:
    return issued(trustme.CA(), NAME)


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    ("show", "alert", "words"),
    [
        (foreign, "UNKNOWN_CA", "unable to get local issuer certificate"),
        (expired, "CERTIFICATE_EXPIRED", "certificate has expired"),
        (for_a_server, "UNSUPPORTED_CERTIFICATE", "unsuitable certificate purpose"),
    ],
    ids=["another authority's", "expired", "a server's"],
)
def test_a_certificate_that_proves_nothing_is_refused_with_the_cause(
    guarded: RunningService,
    authority: trustme.CA,
    tmp_path: Path,
    *,
    show: Callable[[trustme.CA], Shown],
    alert: str,
    words: str,
    version: ssl.TLSVersion,
) -> None:
    end, line = refused(guarded, only(context(guarded, tmp_path, show(authority)), version))
    assert alert in end
    assert line["why"] == "not-trusted"
    assert line["message"].startswith("its certificate is not trusted: ")
    assert words in line["message"]


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize(
    "name", ["kube-apiserver.example.com", "Kube-Apiserver", "*", "kube-apiserver-kubelet-client"]
)
def test_another_name_of_the_same_authority_is_refused(
    guarded: RunningService,
    authority: trustme.CA,
    tmp_path: Path,
    name: str,
    version: ssl.TLSVersion,
) -> None:
    before = guarded.metric(DENIED, why="other-name")
    client = only(context(guarded, tmp_path, issued(authority, common_name=name)), version)
    _, line = refused(guarded, client)
    assert line["why"] == "other-name"
    assert line["message"] == f"its certificate is for {name}, not for {NAME}"
    assert guarded.metric(DENIED, why="other-name") == before + 1


def test_a_session_of_tls_1_3_cannot_be_resumed(
    guarded: RunningService, authority: trustme.CA, tmp_path: Path
) -> None:
    """The certificate of a resumed session would not be verified anew, so no ticket is given."""
    client = only(context(guarded, tmp_path, issued(authority, NAME)), V1_3)
    with connect(guarded, client) as connection:
        connection.sendall(request(review()))
        assert receive(connection).status == 200
        assert connection.session is not None
        assert not connection.session.has_ticket


def test_a_session_of_tls_1_2_that_is_resumed_is_refused(
    guarded: RunningService, authority: trustme.CA, tmp_path: Path
) -> None:
    client = only(context(guarded, tmp_path, issued(authority, NAME)), V1_2)
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
        guarded.await_event(EVENT, why="resumed")
        first.sendall(request(review()))
        assert receive(first).status == 200


def test_whoever_is_refused_is_not_read(guarded: RunningService, tmp_path: Path) -> None:
    before = guarded.decisions()
    refused(guarded, context(guarded, tmp_path))
    assert guarded.decisions() == before
    assert guarded.metric("dind_webhook_rejected_requests_total") == 0


def test_probes_and_metrics_need_no_certificate(guarded: RunningService) -> None:
    assert guarded.admin.get("/readyz").status_code == 200
    assert guarded.admin.get("/metrics").status_code == 200
