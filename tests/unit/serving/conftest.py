"""The service in this process, its log, and the process's logging as it was before."""

import logging
from collections.abc import Iterator

import pytest
from service.application import Application
from service.memorylog import MemoryLog


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Undo what configuring the service's log does to the whole process."""
    loggers = (logging.getLogger(), logging.getLogger("uvicorn.error"))
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:], logger.level = handlers, level


@pytest.fixture
def log(own_logging: None) -> MemoryLog:  # noqa: ARG001 - wanted for what it undoes
    return MemoryLog()


@pytest.fixture
def application(log: MemoryLog) -> Application:
    """The service with all defaults."""
    return Application(log)
