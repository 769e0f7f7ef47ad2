"""The order of the test levels, and the preparation of those that need more than Python."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import preparation
import pytest

TESTS = Path(__file__).parent

# Quick levels first; other directories follow. Tests with a marker of SLOW come last.
LEVELS = ("unit", "golden", "property", "contract", "cli", "examples", "security")
SLOW = ("browser", "tools", "environments", "fuzz", "apiserver", "node", "vm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts by level; within a level the order stays."""
    items.sort(key=_level)


def _level(item: pytest.Item) -> tuple[int, int]:
    slowest = max(
        (rank for rank, marker in enumerate(SLOW, 1) if item.get_closest_marker(marker)), default=0
    )
    directory = item.path.relative_to(TESTS).parts[0]
    rank = LEVELS.index(directory) if directory in LEVELS else len(LEVELS)
    return slowest, rank


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Undo what a service that runs in this process does to the process's logging."""
    loggers = (logging.getLogger(), logging.getLogger("uvicorn.error"))
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


# pytest calls this hook of every conftest.py for every test, wherever the file is: it belongs here.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Prepares before the first test that needs it, outside its timeout, with visible progress."""
    capture = item.config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        preparation.prepare(item)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test whose programs are missing, before its fixtures ask for them."""
    preparation.check(item)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI is set, nothing may be missing: a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("CI is set and tests were skipped: the run fails", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
