"""The service in this process, and its log."""

import pytest
from service.application import Application
from service.memorylog import MemoryLog


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def application(log: MemoryLog) -> Application:
    """The service with all defaults."""
    return Application(log)
