"""An error of our own, which no request over the wire should be able to cause."""

import asyncio
from typing import cast

import httpx
from service.memorylog import MemoryLog
from service.reviews import review

from webhook.injection.config import Config, Profile
from webhook.serving.apps import webhook_app
from webhook.serving.metrics import Metrics
from webhook.serving.service import Service


def broken_service(log: MemoryLog) -> Service:
    """A service whose default profile is none, so that the core fails."""
    config = Config()
    config.profiles["default"] = cast("Profile", None)
    return Service(config, Metrics(), log.logger)


async def ask(service: Service) -> httpx.Response:
    transport = httpx.ASGITransport(webhook_app(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://webhook") as client:
        return await client.post("/inject/pod", json=review())


def test_the_answer_is_status_500_and_one_line(log: MemoryLog) -> None:
    answer = asyncio.run(ask(broken_service(log)))
    assert answer.status_code == 500
    assert answer.text == "internal error; see the log\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_it_is_counted_and_is_no_decision(log: MemoryLog) -> None:
    service = broken_service(log)
    asyncio.run(ask(service))
    assert b'dind_webhook_rejected_requests_total{why="error"} 1.0' in service.metrics.text()
    decisions = [
        line for line in service.metrics.text().splitlines() if b"decisions_total{" in line
    ]
    assert all(line.endswith(b" 0.0") for line in decisions)
    assert service.in_flight == 0


def test_the_log_has_its_traceback_in_one_line(log: MemoryLog) -> None:
    asyncio.run(ask(broken_service(log)))
    (line,) = log.lines()
    assert (line["event"], line["level"], line["path"]) == ("failed", "error", "/inject/pod")
    assert "Traceback (most recent call last)" in line["exception"]
    assert "AttributeError: 'NoneType'" in line["exception"]
