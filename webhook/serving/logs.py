"""Logs: one line per event, JSON in a cluster, readable on a terminal."""

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Protocol, TextIO

import msgspec
import structlog
from msgspec import Struct
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from webhook.injection.decisions import printable


class Decided(Struct, omit_defaults=True, gc=False):
    """The line about a decision: a struct, since it is written for every pod.

    What is empty or None is left out, but for `namespace`, `name` and `owner`.
    """

    event: str
    uid: str
    namespace: str
    name: str
    owner: str
    entry: str
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


class Logger(FilteringBoundLogger, Protocol):
    """structlog's logger, with a short way for decisions."""

    def decided(self, line: Decided) -> None:
        """Write the line about a decision, at level info."""


def configure(stream: TextIO = sys.stderr, level: str = "info") -> Logger:
    """Make the service's logger.

    Args:
        stream: where lines go; a terminal gets colour and columns, everything else JSON.
        level: the least severe level that is written: debug, info, warning or error.
    """
    logger: WrappedLogger
    processors: list[Processor]
    least = logging.getLevelNamesMapping()[level.upper()]
    decided: Any
    if stream.isatty():
        timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        level_name = structlog.processors.add_log_level
        processors = [level_name, timestamp, _printable, structlog.dev.ConsoleRenderer()]
        logger = structlog.WriteLogger(stream)
        decided = _decided_as_event
    else:
        processors = [_as_json]
        logger = Lines(stream.buffer)
        decided = _decided_as_json
    wrapper = structlog.make_filtering_bound_logger(least)
    structlog.configure(
        processors=processors,
        wrapper_class=type(
            "Logger", (wrapper,), {"decided": decided if least <= logging.INFO else _unwritten}
        ),
        cache_logger_on_first_use=True,
    )
    # Bound once: the lazy proxy would bind anew for each line.
    bound: Logger = structlog.wrap_logger(logger).bind()
    logging.basicConfig(handlers=[FromLibraries(bound)], level=logging.WARNING, force=True)
    return bound


class Lines:
    """Writes lines of bytes, and goes on where that fails: a full disk must not stop decisions.

    Attributes:
        lost: lines that could not be written.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.lost = 0

    def msg(self, line: bytes) -> None:
        """Write one line."""
        try:
            self._stream.write(line + b"\n")
            self._stream.flush()
        except OSError:
            self.lost += 1

    debug = info = warning = error = critical = exception = msg


class FromLibraries(logging.Handler):
    """Passes on what uvicorn and asyncio have to say, from warnings upward."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record as an event of its own."""
        self._log.log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep names from forging lines, or from steering the terminal; JSON escapes by itself."""
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in event.items()
    }


_ENCODER = msgspec.json.Encoder(enc_hook=repr)


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
    """Write a line with its level and time; a processor for each would double the line's cost."""
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    return _ENCODER.encode(event)


def _decided_as_json(self: Any, line: Decided) -> None:  # noqa: ANN401 - a bound logger
    self._logger.msg(_ENCODER.encode(line))


def _decided_as_event(self: Any, line: Decided) -> None:  # noqa: ANN401 - a bound logger
    fields = msgspec.to_builtins(line)
    del fields["timestamp"], fields["level"]  # its processors know
    self.info(fields.pop("event"), **fields)


def _unwritten(_self: Any, _line: Decided) -> None:  # noqa: ANN401 - a bound logger
    """Leave out a line that is not severe enough."""
