"""Requests that are rejected before their body is read as JSON."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from service.application import Application
from service.rejections import JSON, REJECTED, Bad, assert_rejected, check_rejection
from service.reviews import review

MIB = 1024 * 1024
PATHS = "there is no such path; the paths are /inject/pod, /inject/namespace, /inject/forbidden"
TYPE = "the content type must be application/json, not "
FORM = "application/x-www-form-urlencoded"
BAD = {
    "another path": Bad(404, "path", PATHS, review(), path="/mutate"),
    "another endpoint": Bad(404, "path", PATHS, review(), path="/inject/node"),
    "a trailing slash": Bad(404, "path", PATHS, review(), path="/inject/pod/"),
    "a path of two lines": Bad(404, "path", PATHS, review(), path="/inject/%0A"),
    "a path that only looks right": Bad(404, "path", PATHS, review(), path="/inject/pod%3Fa"),
    "a path in capitals": Bad(404, "path", PATHS, review(), path="/inject/POD"),
    "GET": Bad(405, "method", "the method must be POST, not GET", b"", "GET"),
    "PUT": Bad(405, "method", "the method must be POST, not PUT", review(), "PUT"),
    "a form": Bad(415, "content-type", f"{TYPE}'{FORM}'", b"", headers={"content-type": FORM}),
    "a JSON sequence": Bad(
        415,
        "content-type",
        f"{TYPE}'application/json-seq'",
        review(),
        headers={"content-type": "application/json-seq"},
    ),
    "no content type": Bad(415, "content-type", f"{TYPE}''", b"{}", headers={}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_requests_get_their_status_and_the_cause(application: Application, bad: Bad) -> None:
    check_rejection(application, bad)


def test_content_types_are_shown_cut_and_escaped(application: Application) -> None:
    headers = {"content-type": b"\xe9\t" + b"x" * 200}
    answer = application.client.request("POST", "/inject/pod", content=b"{}", headers=headers)
    assert_rejected(answer, 415, TYPE + r"'\xe9\t" + "x" * 78 + "'\n")


async def in_parts() -> AsyncIterator[bytes]:
    """8 MiB whose size no header tells."""
    for _ in range(8):
        yield b" " * MIB


@pytest.mark.parametrize(
    ("content", "message"),
    [(b" " * (7 * MIB + 1), "Content Too Large"), (in_parts, "the body is over 7 MiB\n")],
    ids=["by Content-Length", "by what comes"],
)
def test_bodies_over_7_mib_are_rejected(
    application: Application, content: bytes | Callable[[], AsyncIterator[bytes]], message: str
) -> None:
    """Starlette words the answer where the Content-Length tells; our log has the reason."""
    answer = application.client.request(
        "POST",
        "/inject/pod",
        content=content if isinstance(content, bytes) else content(),
        headers=JSON,
    )
    assert (answer.status_code, answer.text) == (413, message)
    assert application.metric(REJECTED, reason="too-large") == 1
    (line,) = application.events("request rejected")
    assert (line["reason"], line["message"]) == ("too-large", "the body is over 7 MiB")


def test_status_405_names_the_method_in_allow(application: Application) -> None:
    assert application.client.request("GET", "/inject/pod").headers["allow"] == "POST"


def test_bodies_of_7_mib_are_read(application: Application) -> None:
    content = json.dumps(review()).encode().ljust(7 * MIB)
    answer = application.client.request("POST", "/inject/pod", content=content, headers=JSON)
    assert answer.json()["response"]["allowed"] is True


def test_long_paths_are_cut_in_the_log(application: Application) -> None:
    application.client.request("POST", f"/{'x' * 1000}")
    (line,) = application.events("request rejected")
    assert len(line["path"]) == 253


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/healthz", 405, "the method must be GET, not POST\n"),
        ("GET", "/inject/pod", 404, "there is no such path; the paths are /healthz, /readyz, "),
        ("GET", "/docs", 404, "there is no such path; the paths are /healthz, /readyz, /metrics\n"),
    ],
)
def test_bad_requests_to_the_admin_port_get_their_status(
    application: Application, method: str, path: str, status: int, message: str
) -> None:
    assert_rejected(application.admin.request(method, path), status, message)
    assert application.metric("dind_webhook_rejected_requests_total") == 0


def test_the_service_is_ready_only_while_its_certificate_is_valid(application: Application) -> None:
    assert application.admin.request("GET", "/readyz").status_code == 200
    application.certificate_expiry = datetime.now(UTC)
    answer = application.admin.request("GET", "/readyz")
    assert (answer.status_code, answer.text) == (503, "the serving certificate has expired\n")
    assert application.admin.request("GET", "/healthz").status_code == 200
