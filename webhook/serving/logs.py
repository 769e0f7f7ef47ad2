"""Logs: one line per event, JSON in a cluster, readable on a terminal."""

import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor, WrappedLogger


def configure(stream: TextIO = sys.stderr, level: str = "info") -> FilteringBoundLogger:
    """Make the service's logger.

    Args:
        stream: where lines go; a terminal gets colour and columns, everything else JSON.
        level: the least severe level that is written: debug, info, warning or error.
    """
    timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Processor] = [structlog.processors.add_log_level, timestamp]
    logger: WrappedLogger
    if stream.isatty():
        processors = [*shared, structlog.dev.ConsoleRenderer()]
        logger = structlog.WriteLogger(stream)
    else:
        processors = [*shared, structlog.processors.format_exc_info, _as_json]
        logger = structlog.BytesLogger(stream.buffer)  # type: ignore[arg-type]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        cache_logger_on_first_use=True,
    )
    bound: FilteringBoundLogger = structlog.wrap_logger(logger)
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


_ENCODER = msgspec.json.Encoder(enc_hook=repr)


def _as_json(_logger: WrappedLogger, _method: str, event: Any) -> bytes:  # noqa: ANN401
    return _ENCODER.encode(event)
