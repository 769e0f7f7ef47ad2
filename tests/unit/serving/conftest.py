"""The service's log, and the process's logging as it was before."""

import logging
from collections.abc import Iterator

import pytest
from service.memorylog import MemoryLog


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Undo what configuring the service's log does to the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def log(own_logging: None) -> MemoryLog:  # noqa: ARG001 - wanted for what it undoes
    return MemoryLog()
