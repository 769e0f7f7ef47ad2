"""A defect of the service itself, which no request should be able to cause."""

from typing import cast

import pytest
from service.application import Application
from service.memorylog import MemoryLog
from service.rejections import assert_rejected
from service.reviews import review
from service.wire import request
from unit.serving.connections import listening, run

from webhook.config import Config, Profile


@pytest.fixture
def broken() -> Config:
    """A configuration under which the core fails: its default profile is None."""
    config = Config()
    config.profiles["default"] = cast("Profile", None)
    return config


def test_internal_errors_are_answered_with_status_500_and_counted(
    log: MemoryLog, broken: Config
) -> None:
    application = Application(log, broken)
    answer = application.client.request("POST", "/inject/pod", json=review())
    assert_rejected(answer, 500, "internal error; see the log\n")
    assert application.metric("dind_webhook_rejected_requests_total", reason="error") == 1
    assert application.decisions() == 0


def test_internal_errors_are_logged_in_one_line_with_their_traceback(
    log: MemoryLog, broken: Config
) -> None:
    async def scenario() -> None:
        async with listening(log, broken) as webhook, webhook.connected() as connection:
            await connection.send(request(review()))
            answer = await connection.answer()
            assert (answer.status, answer.body) == (500, "internal error; see the log\n")
            assert answer.headers["connection"] == "close"
            assert await connection.is_closed()

    run(scenario)
    (line,) = log.lines()
    assert (line["event"].strip(), line["level"]) == ("Exception in ASGI application", "error")
    assert "Traceback (most recent call last)" in line["exception"]
    assert "AttributeError: 'NoneType'" in line["exception"]


def test_the_service_answers_after_an_internal_error(log: MemoryLog, broken: Config) -> None:
    application = Application(log, broken)
    assert application.client.request("POST", "/inject/pod", json=review()).status_code == 500
    application.service.config = Config()
    assert application.ask(review())["allowed"] is True
