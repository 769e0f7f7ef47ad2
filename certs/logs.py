"""Logs: one line per event, JSON in a cluster, readable on a terminal."""

import sys
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor, WrappedLogger


def configure(stream: TextIO = sys.stderr) -> FilteringBoundLogger:
    """Make a logger whose lines go to a stream: columns for a terminal, else JSON."""
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    logger: WrappedLogger = structlog.WriteLogger(stream)
    if stream.isatty():
        processors.append(structlog.dev.ConsoleRenderer())
    else:
        processors.append(structlog.processors.JSONRenderer(ensure_ascii=False))
    bound: FilteringBoundLogger = structlog.wrap_logger(logger, processors=processors)
    return bound
