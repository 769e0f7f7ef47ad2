"""Figures that a test reached: printed, and kept in the report."""

from collections.abc import Callable

Record = Callable[[str, object], None]


def show(record: Record, **figures: float | str) -> None:
    """Note figures under their names; `record` is pytest's `record_property`.

    With `pytest -s` they are on the screen, with `--junit-xml` in the file.
    """
    for name, value in figures.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        record(name, shown)
        print(f"\n  {name.replace('_', ' ')}: {shown}", end="")  # noqa: T201
