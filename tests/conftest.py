"""What every level of the tests shares: their order, and the real parts that some of them need."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.build import BuildFailed, ToolMissing, ensure

TESTS = Path(__file__).parent

# Quick answers first. Other folders come after these, the marker `apiserver` comes last.
LEVELS = ("unit", "golden", "property", "contract", "cli")

CONTROL_PLANE = ("etcd", "kube-apiserver", "kubectl", "helm")  # the chart is what registers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts by level; within a level the order stays."""
    items.sort(key=_level)


def _level(item: pytest.Item) -> tuple[bool, int]:
    folder = item.path.relative_to(TESTS).parts[0]
    rank = LEVELS.index(folder) if folder in LEVELS else len(LEVELS)
    return item.get_closest_marker("apiserver") is not None, rank


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Builds tools before the first test that needs them, while no test's clock is running."""
    for name in _needs(item):
        _found(name)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test whose tools are missing, before its fixtures ask for them; an error where CI is.

    A build that failed is an error everywhere.
    """
    for name in _needs(item):
        match _found(name):
            case ToolMissing() as missing if not os.environ.get("CI"):
                pytest.skip(str(missing))
            case Exception() as problem:
                raise problem


def _needs(item: pytest.Item) -> tuple[str, ...]:
    """The tools of a control plane, and those that the marker names as its arguments."""
    marker = item.get_closest_marker("apiserver")
    return () if marker is None else (*CONTROL_PLANE, *marker.args)


@functools.cache
def _found(name: str) -> Path | ToolMissing | BuildFailed:
    """Looks for a tool once per run: a build that failed is not tried again by the next test."""
    try:
        return ensure(name)
    except (ToolMissing, BuildFailed) as problem:
        return problem


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skipped test is a failure where CI is: there, nothing is missing that could excuse it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("CI is set, and tests were skipped: that is a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
