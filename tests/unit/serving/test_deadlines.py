"""Deadlines of requests and connections, over real sockets; the limits are made short."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from service.memorylog import MemoryLog
from service.reviews import review
from service.running import CertificateDirectory
from service.wire import request
from unit.serving.connections import POST, listening, run, until

from webhook.serving import limits, server
from webhook.serving.tls import Certificate

HALVES = {
    "a byte": b"P",
    "a line": POST[:30],
    "headers without end": POST + b"content-length: 9\r\n",
    "no body": POST + b"content-length: 9\r\n\r\n",
    "half a body": POST + b"content-length: 9\r\n\r\n{",
    "a chunk": POST + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
}


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.1)


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close soon after a rejection."""
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.1)


def test_a_request_has_10_s_and_an_idle_connection_more_than_the_api_server_keeps_it() -> None:
    assert limits.REQUEST_SECONDS == 10
    assert server.KEEP_ALIVE_SECONDS > 90


@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
def test_incomplete_requests_get_status_408_at_their_deadline(half: bytes, log: MemoryLog) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(half)
            answer = await connection.answer()
            assert await connection.is_closed()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert answer.body == "the request did not arrive within 10 s\n"
            assert webhook.rejected() == webhook.rejected("too-slow") == 1
            assert len(webhook.server.incomplete) == 0

    run(scenario)


@pytest.mark.usefixtures("short_deadline")
def test_the_second_request_of_a_connection_has_a_deadline_too(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(request(review()))
            assert (await connection.answer()).status == 200
            await connection.send(b"POST")
            assert (await connection.answer()).status == 408

    run(scenario)


@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize("start", [b"POST / HTTP/1.1\r\nx: ", HALVES["a chunk"]])
def test_more_bytes_do_not_move_the_deadline(start: bytes, log: MemoryLog) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(start)
            while not webhook.rejected("too-slow"):
                await connection.send(b"1\r\n \r\n" if start.endswith(b"\r\n") else b"y")
                await anyio.sleep(0.01)
            assert (await connection.answer()).status == 408

    run(scenario)


@pytest.mark.usefixtures("short_deadline")
def test_connections_that_never_send_outlive_the_deadline_of_requests(log: MemoryLog) -> None:
    """Go's clients keep connections in a pool that they have not used yet."""

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await anyio.sleep(3 * limits.REQUEST_SECONDS)
            await connection.send(request(review()))
            assert (await connection.answer()).status == 200
            await anyio.sleep(3 * limits.REQUEST_SECONDS)
            await connection.send(request(review()))
            assert (await connection.answer()).status == 200

    run(scenario)


@pytest.mark.parametrize("before", [b"", b"\r\n", request(review())], ids=["", "line", "request"])
def test_idle_connections_are_closed_after_the_idle_time(
    before: bytes, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", 0.3)

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(before)
            if len(before) > 2:
                assert (await connection.answer()).status == 200
            assert await connection.is_closed()
            assert webhook.rejected() == 0

    run(scenario)


@pytest.mark.parametrize("closing", [b"", b"connection: close\r\n"], ids=["keep-alive", "close"])
def test_clients_that_send_a_whole_body_after_its_answer_are_not_reset(
    closing: bytes, log: MemoryLog
) -> None:
    """A reset while they send may take the answer with it."""
    start = POST + closing + b"content-length: 10000000\r\n\r\n"

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(start)
            await until(lambda: webhook.rejected("too-large") == 1)
            for _ in range(10):
                await connection.send(b" " * 1_000_000)
                await anyio.sleep(0.02)
            answer = await connection.answer()
            assert answer.status == 413
            assert (answer.headers.get("connection") == "close") == bool(closing)
            if closing:
                with pytest.raises(anyio.EndOfStream):
                    await connection.stream.receive(1)
            else:
                await connection.send(request(review()))
                assert (await connection.answer()).status == 200

    run(scenario)


@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize("more", [b"", b" " * 1000], ids=["silence", "more"])
@pytest.mark.parametrize(
    ("path", "status"), [(b"/nowhere", 404), (b"/inject/pod", 413)], ids=["404", "413"]
)
def test_bodies_that_do_not_end_after_their_answer_are_cut_off(
    path: bytes, status: int, more: bytes, log: MemoryLog
) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(
                POST.replace(b"/inject/pod", path) + b"content-length: 999999999999\r\n\r\n"
            )
            assert (await connection.answer()).status == status
            if more:
                await connection.send_until_closed(more)
            assert webhook.rejected() == 1
            assert await connection.is_closed()

    run(scenario)


@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize("size", [10, 300_000])
def test_requests_that_arrived_in_time_are_answered_after_a_standstill(
    size: int, log: MemoryLog
) -> None:
    """Their bytes wait in the kernel while the process is stopped, or its event loop is busy."""

    async def scenario() -> None:
        whole = request(review(padding=" " * 300_000))
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(whole[:-size])
            await until(lambda: len(webhook.server.incomplete) == 1)
            client = connection.stream.extra(anyio.abc.SocketAttribute.raw_socket)
            assert os.write(client.fileno(), whole[-size:]) == size
            time.sleep(3 * limits.REQUEST_SECONDS)  # noqa: ASYNC251 - nothing else may run
            assert (await connection.answer()).status == 200

    run(scenario)


def test_tls_handshakes_have_a_deadline(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.1)
    certificate = Certificate(CertificateDirectory(tmp_path / "tls").path, datetime.now(UTC))

    async def scenario() -> None:
        async with listening(log, tls=certificate.listening) as webhook:
            host, _, port = webhook.server.address.rpartition(":")
            async with await anyio.connect_tcp(host, int(port)) as client:
                await client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
                with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await client.receive()
            assert webhook.server.server_state.connections == set()

    run(scenario)
    assert log.lines() == []
