"""The tables, as plain text."""

import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.comparing import Cell, middle

_PARTS = ("uvicorn", "httptools", "starlette", "fastapi", "msgspec", "structlog")


def machine(cores: int) -> str:
    """One line: processor, cores, Python and versions."""
    versions = ", ".join(f"{part} {version(part)}" for part in _PARTS)
    return f"{_processor()}, {cores} cores; Python {platform.python_version()}; {versions}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def comparison_head() -> str:
    """The head of the comparison's table."""
    return (
        "             requests/s      CPU us/request                      p50 ms         p99 ms\n"
        "   kB conn   echo webhook    echo webhook  ratio (spread)       echo webhook  echo webhook"
    )


def comparison_row(cell: Cell) -> str:
    """One row of the comparison's table."""
    echo, webhook, ratios = cell.echo, cell.webhook, sorted(cell.ratios())
    rates = [middle(samples, lambda s: s.rate) for samples in (echo, webhook)]
    cpu = [middle(samples, lambda s: s.cpu * 1e6) for samples in (echo, webhook)]
    p50 = [middle(samples, lambda s: s.quantile(0.5) * 1e3) for samples in (echo, webhook)]
    p99 = [middle(samples, lambda s: s.quantile(0.99) * 1e3) for samples in (echo, webhook)]
    ratio = statistics.median(ratios)
    return (
        f"{cell.size / 1000:5.1f} {cell.connections:4} {rates[0]:6.0f} {rates[1]:7.0f}"
        f"  {cpu[0]:6.0f} {cpu[1]:7.0f}   {ratio:4.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        f"   {p50[0]:7.2f} {p50[1]:7.2f} {p99[0]:6.2f} {p99[1]:7.2f}"
    )


def steps_head(names: Sequence[str]) -> str:
    """The head of the table of steps."""
    return "    kB " + " ".join(f"{name:>9}" for name in names)


def steps_row(size: int, microseconds: Sequence[float]) -> str:
    """One row of the table of steps."""
    return f"{size / 1000:6.1f} " + " ".join(f"{value:9.1f}" for value in microseconds)
