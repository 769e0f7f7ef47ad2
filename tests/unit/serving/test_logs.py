"""The log on a terminal and elsewhere."""

import json
import logging
import os
import pty
import re

import pytest
from service.memorylog import MemoryLog

from webhook.serving import logs

FORGED = 'a\r\n{"event": "forged"}\x1b[2J\u2028é'


def on_a_terminal(**fields: object) -> str:
    """What a terminal shows of one event, without its colours."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        logs.configure(stream).info("rejected", **fields)
        shown = os.read(ours, 4096).decode()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


@pytest.mark.usefixtures("own_logging")
def test_a_terminal_gets_columns() -> None:
    shown = on_a_terminal(reason="injected", milliseconds=0.5)
    assert re.match(r"20\S+Z \[info +\] rejected +milliseconds=0.5 reason=injected\r\n", shown)


@pytest.mark.usefixtures("own_logging")
def test_a_value_cannot_forge_a_line_or_steer_the_terminal() -> None:
    shown = on_a_terminal(name=FORGED, warnings=[FORGED])
    assert shown.endswith("\r\n")
    assert shown[:-2].isprintable()
    assert "é" in shown


def test_elsewhere_a_line_is_json_and_holds_any_text(log: MemoryLog) -> None:
    log.logger.info("rejected", name=FORGED)
    assert log.text().count("\n") == 1
    assert "\r" not in log.text()
    assert json.loads(log.text())["name"] == FORGED


def test_what_libraries_report_becomes_a_line(log: MemoryLog) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid %s", "request")
    logging.getLogger("uvicorn.error").info("not this")
    (line,) = log.lines()
    assert (line["event"], line["logger"]) == ("Invalid request", "uvicorn.error")
    assert line["level"] == "warning"
