"""The one logging set-up: a line of JSON per event, or columns where the stream is a terminal."""

import contextlib
import logging
import sys
from typing import Any, BinaryIO, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from webhook.config.wording import printable

Logger = FilteringBoundLogger


def configure_logging(stream: TextIO = sys.stderr, level: str = "info") -> Logger:
    """Make the logger of this process.

    What libraries log through `logging` becomes lines of the same form, from warnings upward.

    Args:
        stream: where the lines go.
        level: the least severe level that is written: debug, info, warning or error.
    """
    minimum = logging.getLevelNamesMapping()[level.upper()]
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    output: WrappedLogger
    if stream.isatty():
        processors += [_printable, structlog.dev.ConsoleRenderer()]
        output = structlog.WriteLogger(stream)
    else:
        encoder = msgspec.json.Encoder(enc_hook=repr)
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda line, **_: encoder.encode(line)),
        ]
        output = structlog.BytesLogger(_LossyStream(stream.buffer))  # type: ignore[arg-type]
    log: Logger = structlog.wrap_logger(
        output,
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
    ).bind()
    logging.basicConfig(handlers=[_LibraryHandler(log)], level=logging.WARNING, force=True)
    # Below errors, uvicorn reports what clients did wrong: `serving` counts that.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return log


class _LossyStream:
    """A stream whose lines are lost where they cannot be written.

    A full disk must not keep the service from answering.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _LibraryHandler(logging.Handler):
    """Passes records of `logging` on."""

    def __init__(self, log: Logger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        self._log.log(record.levelno, record.getMessage(), logger=record.name, **fields)


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what could forge a line or steer the terminal."""
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in event.items()
    }
