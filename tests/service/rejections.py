"""Requests that get no decision, and what is true of every answer to them."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx
from service.asking import ServiceUnderTest

JSON = {"content-type": "application/json"}
REJECTED = "dind_webhook_rejected_requests_total"


class Bad(NamedTuple):
    """A bad request, and its answer."""

    status: int
    reason: str
    message: str
    content: bytes | Mapping[str, Any]
    method: str = "POST"
    path: str = "/inject/pod"
    headers: Mapping[str, str] = JSON


def check_rejection(service: ServiceUnderTest, bad: Bad) -> None:
    """Send a bad request: the answer says what is wrong, and it is counted and logged once."""
    counted = service.metric(REJECTED, reason=bad.reason)
    decided = service.decisions()
    logged = len(service.events("request rejected"))
    content = bad.content if isinstance(bad.content, bytes) else json.dumps(bad.content).encode()
    answer = service.client.request(bad.method, bad.path, content=content, headers=bad.headers)
    assert_rejected(answer, bad.status, bad.message)
    assert service.metric(REJECTED, reason=bad.reason) == counted + 1
    assert service.decisions() == decided
    (line,) = service.events("request rejected")[logged:]
    assert (line["reason"], line["status"], line["path"]) == (
        bad.reason,
        bad.status,
        unquote(bad.path),
    )
    assert f"{line['message']}\n" == answer.text


def assert_rejected(answer: httpx.Response, status: int, beginning: str) -> None:
    """The answer is one line of text."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith(beginning)
    assert answer.text.endswith("\n")
    assert answer.text[:-1].isprintable()
