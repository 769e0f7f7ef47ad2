"""Headers and incomplete bodies over their limits, on real sockets."""

import contextlib

import anyio
import anyio.lowlevel
import pytest
from service.memorylog import MemoryLog
from service.reviews import review
from service.wire import request
from unit.serving.connections import POST, Connection, Listening, listening, run, until

from webhook.serving import limits
from webhook.serving.limits import HEADERS_LIMIT

LONG = b"y" * HEADERS_LIMIT
WHOLE = request(review())
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
TOO_LONG = {
    "one header": WHOLE.replace(b"host:", b"x: " + LONG + b"\r\nhost:"),
    "one header before the content type": WHOLE.replace(
        b"content-type:", b"x: " + LONG + b"\r\ncontent-type:"
    ),
    "many headers": WHOLE.replace(b"host:", b"x: y\r\n" * 6000 + b"host:"),
    "a URL": WHOLE.replace(b"/inject/pod", b"/" + LONG),
    "headers of the first request": WHOLE.replace(b"host:", b"x: " + LONG + b"\r\nhost:") + WHOLE,
    "trailers": CHUNKED + b"1\r\n{\r\n0\r\n" + b"x: y\r\n" * 6000 + b"\r\n",
    "a trailer": CHUNKED + b"1\r\n{\r\n0\r\nx: " + LONG + b"\r\n\r\n",
}
ENDLESS = {
    "headers": (POST, b"x: y\r\n"),
    "a header": (POST + b"x: ", b"y" * 7),
    "a method": (b"", b"X" * 7),
    "a URL": (b"POST /", b"y" * 7),
    "empty lines": (b"", b"\r\n"),
    "empty lines after a request": (WHOLE, b"\r\n"),
    "trailers": (CHUNKED + b"0\r\n", b"x: y\r\n"),
    "extensions of a chunk": (CHUNKED + b"1", b";x=y"),
    "framing of small chunks": (CHUNKED, b"1\r\n \r\n"),
}


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close soon after a rejection."""
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.1)


@pytest.mark.parametrize("size", [1_000_000, 1000], ids=["one read", "many reads"])
@pytest.mark.parametrize("content", TOO_LONG.values(), ids=TOO_LONG.keys())
def test_headers_over_32_kib_get_status_431_and_no_other_answer(
    content: bytes, size: int, log: MemoryLog
) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            for start in range(0, len(content), size):
                connection.protocol.data_received(content[start : start + size])
                await anyio.lowlevel.checkpoint()
            answer = await connection.answer()
            assert (answer.status, answer.headers["connection"]) == (431, "close")
            assert answer.body == "the headers are over 32 KiB\n"
            assert await connection.is_closed()
            assert webhook.rejected() == webhook.rejected("headers-too-large") == 1
        assert log.lines() == []

    run(scenario)


@pytest.mark.parametrize(
    "second", [TOO_LONG["one header"], b"EHLO mail.example\r\n"], ids=["too long", "not HTTP"]
)
def test_a_whole_request_before_a_bad_one_is_answered(second: bytes, log: MemoryLog) -> None:
    """Its answer closes the connection; another one before it would be taken for it."""

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            connection.protocol.data_received(WHOLE + second)
            answer = await connection.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await connection.is_closed()

    run(scenario)


@pytest.mark.parametrize(("start", "piece"), ENDLESS.values(), ids=ENDLESS.keys())
def test_requests_whose_headers_do_not_end_are_rejected(
    start: bytes, piece: bytes, log: MemoryLog
) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(start)
            if start == WHOLE:
                assert (await connection.answer()).status == 200
            sent, many = 0, piece * (1000 // len(piece))
            while not webhook.rejected():
                await connection.send(many)
                await anyio.lowlevel.checkpoint()
                sent += len(many)
                assert sent < 4 * HEADERS_LIMIT
            answer = await connection.answer()
            assert answer.status in (400, 431)
            assert await connection.is_closed()
            assert webhook.rejected() == 1

    run(scenario)


def test_headers_below_32_kib_are_read(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            for _ in range(3):
                await connection.send(WHOLE.replace(b"host:", b"x: " + LONG[2000:] + b"\r\nhost:"))
                assert (await connection.answer()).status == 200

    run(scenario)


def test_trailers_do_not_become_headers(log: MemoryLog) -> None:
    async def scenario() -> None:
        head = b"POST /inject/pod HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        trailer = b"0\r\ncontent-type: application/json\r\n\r\n"
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(head + trailer)
            assert (await connection.answer()).status == 415

    run(scenario)


async def hold(
    stack: contextlib.AsyncExitStack, webhook: Listening, count: int, size: int
) -> list[Connection]:
    """Open connections whose requests lack one byte each; they come one after the other."""
    connections: list[Connection] = []
    whole = request(review(padding=" " * size))
    for _ in range(count):
        connections.append(await stack.enter_async_context(webhook.connected()))
        await connections[-1].send(whole[:-1])
        await until(lambda: len(webhook.server.incomplete) == len(connections))
    return connections


async def assert_only_the_oldest_is_rejected(
    webhook: Listening, oldest: Connection, others: list[Connection]
) -> None:
    answer = await oldest.answer()
    assert (answer.status, answer.body) == (503, "too many requests at once; try again\n")
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert await oldest.is_closed()
    for connection in others:
        await connection.send(b"}")
        assert (await connection.answer()).status == 200
    assert webhook.rejected() == webhook.rejected("overload") == 1
    assert len(webhook.server.incomplete) == 0


def test_over_the_limit_of_incomplete_requests_the_oldest_is_rejected(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INCOMPLETE_LIMIT", 3)

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            webhook = await stack.enter_async_context(listening(log))
            held = await hold(stack, webhook, 3, size=0)
            newest = await stack.enter_async_context(webhook.connected())
            await newest.send(WHOLE[:-1])
            await assert_only_the_oldest_is_rejected(webhook, held[0], [*held[1:], newest])

    run(scenario)


def test_over_the_limit_of_incomplete_bytes_the_oldest_request_is_rejected(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INCOMPLETE_BYTES_LIMIT", 100_000)

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            webhook = await stack.enter_async_context(listening(log))
            held = await hold(stack, webhook, 2, size=40_000)
            newest = await stack.enter_async_context(webhook.connected())
            await newest.send(request(review(padding=" " * 40_000))[:-1])
            await assert_only_the_oldest_is_rejected(webhook, held[0], [*held[1:], newest])

    run(scenario)


def test_whole_requests_are_answered_while_the_limit_is_reached(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INCOMPLETE_LIMIT", 3)

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            webhook = await stack.enter_async_context(listening(log))
            await hold(stack, webhook, 3, size=0)
            whole = await stack.enter_async_context(webhook.connected())
            for _ in range(3):
                await whole.send(WHOLE)
                assert (await whole.answer()).status == 200
            assert webhook.rejected() == 0

    run(scenario)


def test_bodies_that_were_answered_early_take_no_room_from_other_requests(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INCOMPLETE_BYTES_LIMIT", 10_000)
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60)

    async def scenario() -> None:
        async with contextlib.AsyncExitStack() as stack:
            webhook = await stack.enter_async_context(listening(log))
            (held,) = await hold(stack, webhook, 1, size=0)
            endless = await stack.enter_async_context(webhook.connected())
            await endless.send(b"POST /nowhere HTTP/1.1\r\ncontent-length: 99999\r\n\r\n ")
            assert (await endless.answer()).status == 404
            await endless.send(b" " * 99_998 + WHOLE)
            assert (await endless.answer()).status == 200
            await held.send(b"}")
            assert (await held.answer()).status == 200
            assert webhook.rejected("overload") == 0

    run(scenario)


def test_requests_get_no_second_answer(log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60)

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(CHUNKED.replace(b"/inject/pod", b"/nowhere"))
            assert (await connection.answer()).status == 404
            connection.protocol.data_received(b"1;x=" + LONG)
            assert await connection.is_closed()
            assert webhook.rejected() == webhook.rejected("path") == 1

    run(scenario)


def test_clients_that_go_on_sending_can_read_why_they_were_rejected(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is closed while its client sends is reset, and the answer is lost."""
    monkeypatch.setattr(limits, "INCOMPLETE_LIMIT", 0)
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60)

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(WHOLE[:-1])
            await until(lambda: webhook.rejected("overload") == 1)
            for _ in range(50):
                await connection.send(b" " * 10_000)
            assert (await connection.answer()).status == 503

    run(scenario)


def test_clients_that_go_on_sending_for_ever_are_disconnected(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60)

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send_until_closed(b"\0" * 100_000)
            assert webhook.rejected() == webhook.rejected("not-http") == 1

    run(scenario)


def test_requests_of_clients_that_disconnect_are_forgotten(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook:
            async with webhook.connected() as connection:
                await connection.send(WHOLE[:-1])
                await until(lambda: len(webhook.server.incomplete) == 1)
            await until(lambda: len(webhook.server.incomplete) == 0)
            assert webhook.rejected() == webhook.rejected("disconnected") == 1
        assert log.lines() == []

    run(scenario)
