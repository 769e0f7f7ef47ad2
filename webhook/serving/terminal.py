"""Lines for a terminal: colour, columns, and nothing that steers it."""

from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from webhook.injection.decisions import printable
from webhook.serving.logs import Decided, Logger


def terminal_logger(stream: TextIO, least: int) -> Logger:
    """Make a logger for people.

    Args:
        stream: a terminal.
        least: the least severe of `logging`'s levels that is written.
    """
    wrapper = structlog.make_filtering_bound_logger(least)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _printable,
        structlog.dev.ConsoleRenderer(),
    ]
    log: Logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=processors,
        wrapper_class=type("TerminalLogger", (wrapper,), {"decided": _decided, "flush": _flush}),
    ).bind()
    return log


def _decided(self: Any, line: Decided) -> None:  # noqa: ANN401 - a bound logger
    fields = msgspec.to_builtins(line)
    del fields["timestamp"], fields["level"]  # its processors know
    self.info(fields.pop("event"), **fields)


def _flush(_self: Any) -> None:  # noqa: ANN401 - a bound logger
    """Nothing is held back."""


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep names from forging lines, or from steering the terminal."""
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in event.items()
    }
