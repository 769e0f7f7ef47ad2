"""The figures that a test measured: printed, and kept in the report."""

from collections.abc import Callable

Record = Callable[[str, object], None]


def show(record: Record, **figures: float | str) -> None:
    """Record figures by name.

    `pytest -s` prints them, `--junit-xml` writes them to the file.

    Args:
        record: pytest's `record_property`.
        figures: by name; underscores are printed as spaces.
    """
    for name, value in figures.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        record(name, shown)
        print(f"\n  {name.replace('_', ' ')}: {shown}", end="")  # noqa: T201
