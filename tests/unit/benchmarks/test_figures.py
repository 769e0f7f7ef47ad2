"""From samples to figures, tables and bounds."""

from collections.abc import Sequence

import pytest

from benchmarks import compare
from benchmarks.figures import Goal, Spread, goal_table, ratio, spread, table
from benchmarks.load import Sample
from benchmarks.measuring import Process, Row

MICROSECOND = 1e-6


def sample(cpu: float, slowest: float = 0.004) -> Sample:
    """A hundred requests in half a second, with so many microseconds of CPU each."""
    return Sample(cpu * 100 * MICROSECOND, 0.5, [slowest] * 2 + [0.001] * 98)


def row(name: str = "9", **cpu: Sequence[float]) -> Row:
    """A row by the CPU per request of each server in each round."""
    samples = {server: [sample(value) for value in values] for server, values in cpu.items()}
    return Row(name, 9100, samples)


def test_samples_give_cpu_per_request_and_quantiles() -> None:
    measured = sample(25.0)

    assert measured.cpu == pytest.approx(25.0 * MICROSECOND)
    assert [measured.quantile(share) for share in (0.5, 0.99, 1)] == [0.001, 0.004, 0.004]


def test_spread_is_median_least_and_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert f"{Spread(2, 1, 3):.1f}" == "2.0 (1.0..3.0)"


def test_ratio_compares_within_each_round() -> None:
    assert ratio([20, 60, 40], [10, 20, 40]) == Spread(2, 1, 3)


def test_tables_are_markdown() -> None:
    assert list(table(("pod", "ms"), [("injected", "1.5")])) == [
        "",
        "| pod | ms |",
        "|---|---|",
        "| injected | 1.5 |",
    ]


def test_bounds_are_met_up_to_the_bound() -> None:
    goals = [Goal("this", 2.5, 2.5), Goal("that", 2.51, 2.5), Goal("other", 1.0, None)]

    assert list(goal_table(goals))[-3:] == [
        "| this | 2.50 | 2.5 | met |",
        "| that | 2.51 | 2.5 | **missed** |",
        "| other | 1.00 |  |  |",
    ]


def test_cpu_table_leaves_servers_without_samples_empty() -> None:
    rows = [row(echo=[10, 10], Go=[20, 20], service=[25, 27]), row("over", echo=[10], service=[30])]

    _, heads, _, *cells = compare.cpu_table(rows)

    assert heads == (
        "| CPU per request, µs | kB | echo | Go | service | service / echo | service / Go |"
    )
    assert cells == [
        "| injected | 9.1 | 10 | 20 | 26 | 2.60 (2.50..2.70) | 1.30 (1.25..1.35) |",
        "| over | 9.1 | 10 |  | 30 | 3.00 (3.00..3.00) |  |",
    ]


def test_latency_table_shows_p99_in_milliseconds() -> None:
    *_, cells = compare.latency_table([row(echo=[10], service=[25])])

    assert cells == "| injected | 9.1 | 4.00 |  | 4.00 | 1.00 (1.00..1.00) |  |"


def test_process_table_shows_start_and_memory() -> None:
    process = Process([100.0, 120.0], [30.0, 32.0], connected_mb=80.0)

    *_, cells = compare.process_table({"echo": process}, 1000)

    assert cells == "| echo | 110 (100..120) | 31 (30..32) | 80 |"


def test_every_size_has_its_bounds() -> None:
    rows = [row(size, echo=[10], Go=[20], service=[22]) for size in ("2.7", "9", "62", "447")]

    found = {
        goal.figure: (round(goal.measured, 3), goal.at_most) for goal in compare.request_goals(rows)
    }

    assert found == {
        "CPU at 2.7 kB / echo": (2.2, 3.6),
        "CPU at 9 kB / echo": (2.2, 3.6),
        "CPU at 62 kB / echo": (2.2, 2.8),
        "CPU at 447 kB / echo": (2.2, 1.8),
        **{f"p99 at {size} kB / echo": (1.0, 3.0) for size in ("2.7", "9", "62", "447")},
        "CPU at 9 kB / Go": (1.1, 1.3),
        "CPU at 62 kB / Go": (1.1, 1.0),
        "CPU at 447 kB / Go": (1.1, 1.0),
    }


def test_the_largest_pod_is_compared_with_an_ordinary_one() -> None:
    rows = [row("9", echo=[10], service=[20]), row("largest", echo=[10], service=[500])]

    *_, goal = compare.request_goals(rows)

    assert (round(goal.measured, 3), goal.at_most) == (25.0, 30.0)


def test_memory_has_its_bounds() -> None:
    process = Process([100.0], [70.0, 72.0, 90.0], connected_mb=80.0)

    assert [(goal.measured, goal.at_most) for goal in compare.process_goals(process, 1000)] == [
        (72.0, 80.0),
        (80.0, 268.435456),
    ]
