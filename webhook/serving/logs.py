"""Logs: one line per event, JSON in a cluster, readable on a terminal.

structlog draws the lines of a terminal. In a cluster a line is one call of the encoder, and
structlog is not loaded: with what it loads, it was an eighth of the time to the first answer.
"""

import asyncio
import logging
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Protocol, TextIO

import msgspec
from msgspec import Struct


class Decided(Struct, omit_defaults=True, gc=False):
    """The line about a decision: a struct, since it is written for every pod.

    What is empty or None is left out, but for `namespace`, `name` and `owner`.
    """

    event: str
    uid: str
    namespace: str
    name: str
    owner: str
    endpoint: str
    reason: str
    milliseconds: float
    timestamp: datetime
    level: str
    profile: str | None = None
    mode: str | None = None
    image: str | None = None
    message: str | None = None
    warnings: Sequence[str] = ()
    dry_run: bool = False


class Logger(Protocol):
    """What the service logs with, as structlog spells it; `fields` are part of the line."""

    def debug(self, event: str, **fields: object) -> object:
        """Log what only its developers want to know."""

    def info(self, event: str, **fields: object) -> object:
        """Log what happened as it should."""

    def warning(self, event: str, **fields: object) -> object:
        """Log what somebody should look at."""

    def error(self, event: str, **fields: object) -> object:
        """Log what failed; `exc_info` holds the exception."""

    def log(self, level: int, event: str, **fields: object) -> object:
        """Log at one of `logging`'s levels."""

    def decided(self, line: Decided) -> None:
        """Write the line about a decision, at level info."""

    def flush(self) -> None:
        """Write out what is held back."""


def configure(stream: TextIO = sys.stderr, level: str = "info") -> Logger:
    """Make the service's logger.

    Args:
        stream: where lines go; a terminal gets colour and columns, everything else JSON.
        level: the least severe level that is written: debug, info, warning or error.
    """
    least = logging.getLevelNamesMapping()[level.upper()]
    log: Logger
    if stream.isatty():
        from webhook.serving.terminal import terminal_logger  # noqa: PLC0415 - it loads structlog

        log = terminal_logger(stream, least)
    else:
        log = JsonLogger(stream.buffer, least)
    logging.basicConfig(handlers=[FromLibraries(log)], level=logging.WARNING, force=True)
    return log


_ENCODER = msgspec.json.Encoder(enc_hook=repr)


class JsonLogger:
    """Writes JSON, and goes on where that fails: a full disk must not stop decisions.

    The decisions of one round of the event loop are written out together at its end: a system call
    for each would be a sixth of what a decision costs.

    Attributes:
        lost: times that lines could not be written.
    """

    def __init__(self, stream: BinaryIO, least: int) -> None:
        self._stream = stream
        self._least = least
        self._holds_back = False
        self.lost = 0

    def debug(self, event: str, **fields: object) -> None:
        """Log what only its developers want to know."""
        self.log(logging.DEBUG, event, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Log what happened as it should."""
        self.log(logging.INFO, event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what somebody should look at."""
        self.log(logging.WARNING, event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what failed; `exc_info` holds the exception."""
        self.log(logging.ERROR, event, **fields)

    def log(self, level: int, event: str, **fields: object) -> None:
        """Log at one of `logging`'s levels."""
        if level < self._least:
            return
        error = fields.pop("exc_info", None)
        if isinstance(error, tuple):  # as `logging` has it
            error = error[1]
        if isinstance(error, BaseException):
            fields["exception"] = "".join(traceback.format_exception(error)).rstrip()
        name = logging.getLevelName(level).lower()
        line = {"event": event, **fields, "level": name, "timestamp": datetime.now(UTC)}
        self._write(_ENCODER.encode(line))
        self.flush()

    def decided(self, line: Decided) -> None:
        """Write the line about a decision, at level info."""
        if self._least > logging.INFO:
            return
        self._write(_ENCODER.encode(line))
        if not self._holds_back:
            self._holds_back = True
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # nobody runs a loop
                self.flush()

    def flush(self) -> None:
        """Write out what is held back."""
        self._holds_back = False
        try:
            self._stream.flush()
        except OSError:
            self.lost += 1

    def _write(self, line: bytes) -> None:
        try:
            self._stream.write(line + b"\n")
        except OSError:
            self.lost += 1


class FromLibraries(logging.Handler):
    """Passes on what uvicorn and asyncio have to say, from warnings upward."""

    def __init__(self, log: Logger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record as an event of its own."""
        self._log.log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )
