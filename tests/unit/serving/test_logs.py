"""The log on a terminal and elsewhere."""

import json
import logging
import os
import pty
import re
from pathlib import Path

import pytest
from service.application import Application
from service.memorylog import MemoryLog
from service.reviews import pod, review

from webhook.config import Config
from webhook.logs import configure_logging

FORGED = 'a\r\n{"event": "forged"}\x1b[2J\u2028é'


def on_a_terminal(**fields: object) -> str:
    """What a terminal shows of one event, without its colours."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        configure_logging(stream).info("injected", **fields)
        shown = os.read(ours, 4096).decode()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_terminals_get_columns() -> None:
    shown = on_a_terminal(reason="injected", duration_ms=0.5)
    assert re.match(r"20\S+Z \[info +\] injected +duration_ms=0.5 reason=injected\r\n", shown)


def test_values_cannot_forge_lines_or_steer_the_terminal() -> None:
    shown = on_a_terminal(name=FORGED, warnings=[FORGED])
    assert shown.endswith("\r\n")
    assert shown[:-2].isprintable()
    assert "é" in shown


def test_files_and_pipes_get_one_line_of_json_per_event(log: MemoryLog) -> None:
    log.logger.info("injected", name=FORGED)
    assert log.text().count("\n") == 1
    assert "\r" not in log.text()
    assert json.loads(log.text())["name"] == FORGED


def test_lines_are_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream:
        configure_logging(stream).info("injected")
        assert path.read_text().endswith("\n")


def test_lines_below_the_level_are_not_written(log: MemoryLog) -> None:
    log.logger.debug("polled")
    assert log.text() == ""


def test_a_full_disk_is_no_error() -> None:
    stream = Path("/dev/full").open("w")  # noqa: SIM115 - closing fails
    configure_logging(stream).info("injected")
    with pytest.raises(OSError, match="No space left"):
        stream.close()


def test_warnings_of_libraries_become_lines(log: MemoryLog) -> None:
    logging.getLogger("asyncio").warning("socket.%s() raised", "send")
    logging.getLogger("asyncio").info("not this")
    (line,) = log.lines()
    assert (line["event"], line["logger"]) == ("socket.send() raised", "asyncio")
    assert line["level"] == "warning"


def test_of_uvicorn_only_errors_become_lines(log: MemoryLog) -> None:
    """Its warnings are about what clients did wrong, which the service counts."""
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    (line,) = log.lines()
    assert (line["event"], line["level"]) == ("Exception in ASGI application", "error")


def test_images_that_users_choose_are_cut(log: MemoryLog) -> None:
    policy = {"annotations": ["image"], "images": ["**"]}
    application = Application(log, Config.model_validate_json(json.dumps({"policy": policy})))
    image = f"{'x' * 200}:{'y' * 128}"
    application.ask(review(pod({"dind.io/inject": "true", "dind.io/image": image})))
    (line,) = application.events("injected")
    assert line["image"] == image[:250] + "..."
