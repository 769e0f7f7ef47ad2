"""Clients that do not read their answers, over real sockets; the limits are made short."""

import contextlib
import socket
from collections.abc import AsyncIterator

import anyio
import pytest
from fastapi import FastAPI, Response
from service.memorylog import MemoryLog
from unit.serving.connections import run, until

from webhook.config import Config
from webhook.serving import limits
from webhook.serving.metrics import Metrics
from webhook.serving.server import Server
from webhook.serving.service import Service

SIZE = 20_000_000  # more than the sockets of both ends hold
GET = b"GET / HTTP/1.1\r\n\r\n"


@contextlib.asynccontextmanager
async def serving(log: MemoryLog) -> AsyncIterator[Server]:
    """Serve long answers."""
    app = FastAPI()

    @app.get("/")
    async def answer() -> Response:
        return Response(b"x" * SIZE)

    server = Server(app, Service(Config(), Metrics(), log.logger), "127.0.0.1", 0, None)
    async with server.listening():
        yield server


async def connect(server: Server) -> anyio.abc.SocketStream:
    return await anyio.connect_tcp("127.0.0.1", int(server.address.rpartition(":")[2]))


async def ask_without_reading(server: Server) -> socket.socket:
    """Ask on a socket that no event loop reads."""
    client = socket.create_connection(server.servers[0].sockets[0].getsockname())
    client.sendall(GET)
    answered = server.server_state.total_requests
    await until(lambda: server.server_state.total_requests > answered)
    return client


def test_clients_that_do_not_read_are_cut_off_at_the_deadline(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 0.2)

    async def scenario() -> None:
        async with serving(log) as server:
            with await ask_without_reading(server):
                await until(lambda: not server.server_state.connections)

    run(scenario)


def test_the_oldest_answers_are_cut_off_where_all_are_too_large(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD_BYTES_LIMIT", 3 * SIZE)

    async def scenario() -> None:
        async with serving(log) as server:
            with contextlib.ExitStack() as clients:
                for _ in range(10):
                    clients.enter_context(await ask_without_reading(server))
                assert server.server_state.total_requests == 10
                await until(lambda: len(server.server_state.connections) <= 5)
                assert len(server.server_state.connections) >= 3

    run(scenario)


def test_no_other_request_is_answered_before_the_answer_is_read(log: MemoryLog) -> None:
    async def scenario() -> None:
        async with serving(log) as server:
            with await ask_without_reading(server) as client:
                client.sendall(GET)
                await anyio.sleep(0.2)
                assert server.server_state.total_requests == 1

    run(scenario)


def test_clients_that_read_slowly_get_all_answers(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 10)

    async def scenario() -> None:
        async with serving(log) as server, await connect(server) as client:
            for _ in range(2):
                await client.send(GET)
                received = 0
                while received < SIZE:
                    received += len(await client.receive(1_000_000))
                    await anyio.sleep(0.001)

    run(scenario)
