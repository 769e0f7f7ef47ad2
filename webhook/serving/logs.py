"""Logs: one line per event, JSON in a cluster, readable on a terminal."""

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from webhook.injection.decisions import printable


def configure(stream: TextIO = sys.stderr, level: str = "info") -> FilteringBoundLogger:
    """Make the service's logger.

    Args:
        stream: where lines go; a terminal gets colour and columns, everything else JSON.
        level: the least severe level that is written: debug, info, warning or error.
    """
    logger: WrappedLogger
    processors: list[Processor]
    if stream.isatty():
        timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        level_name = structlog.processors.add_log_level
        processors = [level_name, timestamp, _printable, structlog.dev.ConsoleRenderer()]
        logger = structlog.WriteLogger(stream)
    else:
        processors = [_as_json]
        logger = structlog.BytesLogger(stream.buffer)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        cache_logger_on_first_use=True,
    )
    # Bound once: the lazy proxy would bind anew for each line.
    bound: FilteringBoundLogger = structlog.wrap_logger(logger).bind()
    logging.basicConfig(handlers=[FromLibraries(bound)], level=logging.WARNING, force=True)
    return bound


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
