"""A process that is about to stop: every answer ends its connection."""

import asyncio
import json
import time

import pytest
from service.application import Application
from service.memorylog import MemoryLog
from service.reviews import review
from service.wire import request
from unit.serving.connections import POST, listening, run, until

from webhook.injection import Endpoint
from webhook.serving import limits
from webhook.serving.server import _quiet

WHOLE = request(review())
REQUESTS = {
    "200": WHOLE,
    "400": POST + b"content-length: 1\r\n\r\n{",
    "400 of the parser": b"EHLO mail.example\r\n\r\n",
    "404": b"POST /nowhere HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
    "404 before the body": b"POST /nowhere HTTP/1.1\r\ncontent-length: 1000\r\n\r\n",
    "405": b"GET /inject/pod HTTP/1.1\r\n\r\n",
    "413 before the body": POST + b"content-length: 99999999\r\n\r\n",
    "415": WHOLE.replace(b"application/json", b"text/plain"),
    "431": b"POST /%b HTTP/1.1\r\n\r\n" % (b"x" * limits.HEADERS_LIMIT),
}


@pytest.mark.parametrize(("status", "content"), REQUESTS.items(), ids=REQUESTS.keys())
def test_every_answer_closes_its_connection_while_draining(
    status: str, content: bytes, log: MemoryLog
) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            webhook.service.draining = True
            await connection.send(content)
            answer = await connection.answer()
            assert answer.status == int(status[:3])
            assert answer.headers["connection"] == "close"
            assert await connection.is_closed()

    run(scenario)


def test_requests_that_began_before_draining_close_their_connection_too(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(WHOLE[:-1])
            await until(lambda: len(webhook.server.incomplete) == 1)
            webhook.service.draining = True
            await connection.send(WHOLE[-1:])
            answer = await connection.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert await connection.is_closed()

    run(scenario)


@pytest.mark.parametrize("half", [b"POST", WHOLE[:-1]], ids=["headers", "body"])
def test_the_servers_shutdown_waits_for_requests_that_arrive(half: bytes, log: MemoryLog) -> None:
    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(WHOLE)
            assert "connection" not in (await connection.answer()).headers
            await connection.send(half)
            await until(lambda: connection.protocol.timeout_keep_alive_task is None)
            webhook.service.draining = True
            shutdown = asyncio.create_task(webhook.server.shutdown())
            await until(lambda: not webhook.server.servers[0].is_serving())
            await connection.send(WHOLE[len(half) :])
            assert (await connection.answer()).status == 200
            assert await connection.is_closed()
            await shutdown

    run(scenario)


@pytest.mark.parametrize("early", [b"", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n"])
def test_the_servers_shutdown_closes_connections_without_a_request(
    early: bytes, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those whose request was answered before its end."""
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60)

    async def scenario() -> None:
        async with listening(log) as webhook, webhook.connected() as connection:
            await connection.send(early)
            if early:
                assert (await connection.answer()).status == 404
            await webhook.server.shutdown()
            assert await connection.is_closed()

    run(scenario)


def wait_quiet(application: Application, quiet: float, deadline: float) -> None:
    asyncio.run(_quiet(application.service, quiet, deadline))


def test_a_request_restarts_the_quiet_period(application: Application) -> None:
    application.service.last_request = time.perf_counter() + 0.1  # comes during the quiet period
    wait_quiet(application, quiet=0.05, deadline=60)
    assert time.perf_counter() >= application.service.last_request + 0.05


def test_the_quiet_period_starts_with_the_signal(application: Application) -> None:
    started = time.perf_counter()
    wait_quiet(application, quiet=0.05, deadline=60)
    assert time.perf_counter() >= started + 0.05


def test_the_quiet_period_ends_at_the_deadline(application: Application) -> None:
    application.service.last_request = time.perf_counter() + 1000
    wait_quiet(application, quiet=60, deadline=0.01)
    assert time.perf_counter() < application.service.last_request


def test_every_review_counts_as_a_request(application: Application) -> None:
    before = time.perf_counter()
    application.service.review(Endpoint.POD, json.dumps(review()).encode())
    assert application.service.last_request >= before
