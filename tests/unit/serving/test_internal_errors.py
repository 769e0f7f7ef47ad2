"""An error of our own, which no request over the wire should be able to cause."""

import json
from typing import cast

from service.memorylog import MemoryLog
from service.reviews import review
from webhook.serving.endpoint import ReviewEndpoint

from webhook.config import Config, Profile
from webhook.injection import Endpoint
from webhook.serving.metrics import Metrics
from webhook.serving.service import Service


def broken_service(log: MemoryLog) -> Service:
    """A service whose default profile is none, so that the core fails."""
    config = Config()
    config.profiles["default"] = cast("Profile", None)
    return Service(config, Metrics(), log.logger)


def ask(service: Service) -> bytes:
    """Give the whole answer to a review."""
    body = json.dumps(review()).encode()
    return ReviewEndpoint(service).answer(Endpoint.POD, body, [(b"date", b"today")], close=False)


def test_the_answer_is_status_500_and_one_line(log: MemoryLog) -> None:
    head, _, body = ask(broken_service(log)).partition(b"\r\n\r\n")
    assert head.splitlines() == [
        b"HTTP/1.1 500 Internal Server Error",
        b"date: today",
        b"content-type: text/plain; charset=utf-8",
        b"content-length: 28",
    ]
    assert body == b"internal error; see the log\n"


def test_it_is_counted_and_is_no_decision(log: MemoryLog) -> None:
    service = broken_service(log)
    ask(service)
    assert b'dind_webhook_rejected_requests_total{why="error"} 1.0' in service.metrics.text()
    decisions = [
        line for line in service.metrics.text().splitlines() if b"decisions_total{" in line
    ]
    assert all(line.endswith(b" 0.0") for line in decisions)
    assert service.in_flight == 0


def test_the_log_has_its_traceback_in_one_line(log: MemoryLog) -> None:
    ask(broken_service(log))
    (line,) = log.lines()
    assert (line["event"], line["level"], line["path"]) == ("failed", "error", "/inject/pod")
    assert "Traceback (most recent call last)" in line["exception"]
    assert "AttributeError: 'NoneType'" in line["exception"]
