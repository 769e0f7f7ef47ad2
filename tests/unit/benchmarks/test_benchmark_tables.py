"""From samples to figures, tables and goals."""

from collections.abc import Sequence

import pytest

from benchmarks import goals, tables
from benchmarks.comparing import Cell
from benchmarks.figures import Spread, microseconds, p50, p99, rate
from benchmarks.goals import Goal
from benchmarks.load import Sample
from benchmarks.programs import ECHO, SERVICE, WITHOUT
from benchmarks.starts import Start

MICROSECOND = 1e-6


def sample(cpu: float, slowest: float = 0.004) -> Sample:
    """A hundred requests in half a second, at so many microseconds of CPU each."""
    return Sample(100, 0.5, cpu * 100 * MICROSECOND, [0.001] * 98 + [slowest] * 2)


def cell(review: str = "9", size: int = 9100, connections: int = 8, **cpu: Sequence[float]) -> Cell:
    """A cell by the CPU time of each round."""
    samples = {name.replace("_", " "): [sample(one) for one in ones] for name, ones in cpu.items()}
    return Cell(samples=samples, review=review, size=size, connections=connections)


def test_a_sample_says_what_a_request_cost() -> None:
    one = sample(25.0)

    assert microseconds(one) == pytest.approx(25.0)
    assert (p50(one), p99(one), rate(one)) == (1.0, 4.0, 200.0)


def test_servers_are_compared_within_each_round() -> None:
    turns = cell(echo=[10, 20, 40], service=[20, 60, 40])

    assert turns.of(ECHO, microseconds) == pytest.approx(20)
    assert figures(turns.times(SERVICE, ECHO, microseconds)) == pytest.approx((2, 1, 3))
    assert figures(turns.over(SERVICE, ECHO, microseconds)) == pytest.approx((10, 0, 40))


def figures(spread: Spread) -> tuple[float, float, float]:
    """Median, least and most."""
    return spread.median, spread.least, spread.most


def test_columns_are_flush() -> None:
    rows = [("kB", "pod", "echo"), ("447.0", "injected", "9"), ("9.1", "", "")]

    assert list(tables.aligned(rows, left=1)) == [
        "   kB  pod       echo",
        "447.0  injected     9",
        "  9.1",
    ]


def test_what_was_not_measured_is_left_empty() -> None:
    whole = cell(echo=[10, 10], service=[25, 27], no_memory=[29, 31], no_policy=[20, 20])
    alone = cell("9-own", echo=[10, 10], service=[12, 14], no_memory=[12, 12])

    assert tables.cpu_rows([whole, alone]) == [
        ("kB", "pod", "at once", ECHO, SERVICE, WITHOUT["memory"], WITHOUT["policy"]),
        ("9.1", "injected", "8", "10.0", "26.0", "30.0", "20.0"),
        ("9.1", "own daemon", "8", "10.0", "13.0", "12.0", ""),
    ]
    assert tables.times_rows([whole, alone])[1:] == [
        ("9.1", "injected", "8", "2.60 (2.50..2.70)", "3.00 (2.90..3.10)", "2.00 (2.00..2.00)"),
        ("9.1", "own daemon", "8", "1.30 (1.20..1.40)", "1.20 (1.20..1.20)", ""),
    ]


def test_the_policy_s_price_is_what_it_adds_to_a_service_without_memory() -> None:
    whole = cell(echo=[10, 10], service=[25, 27], no_memory=[29, 31], no_policy=[20, 20])
    alone = cell("9-own", echo=[10, 10], service=[12, 14], no_memory=[12, 12])

    assert tables.price_rows([whole, alone]) == [
        ("kB", "pod", "at once", "memory", "policy"),
        ("9.1", "injected", "8", "-4.0 (-4.0..-4.0)", "10.0 (9.0..11.0)"),
        ("9.1", "own daemon", "8", "1.0 (0.0..2.0)", ""),
    ]


def test_latencies_stand_beside_each_other() -> None:
    head, row = tables.latency_rows([cell(echo=[10], Go=[20], service=[25])])

    assert head[3:9] == ("echo p50", "Go p50", "service p50", "echo p99", "Go p99", "service p99")
    assert row[3:] == ("1.00", "1.00", "1.00", "4.00", "4.00", "4.00", "1.00 (1.00..1.00)")


def test_starts_and_memory_stand_beside_each_other() -> None:
    starts = {ECHO: [Start(0.1, 30_000_000)] * 2, SERVICE: [Start(0.2, 46_000_000)] * 2}

    assert tables.process_rows(
        starts, {ECHO: 31_000_000, SERVICE: 50_000_000}, {ECHO: 9, SERVICE: 5}
    )[1:] == [
        (ECHO, "100 (100..100)", "", "30.0", "31.0", "9"),
        (SERVICE, "200 (200..200)", "2.00 (2.00..2.00)", "46.0", "50.0", "5"),
    ]


def test_goals_say_what_was_reached_and_what_was_missed() -> None:
    assert tables.goal_rows([Goal("this", 2.5, 2.4, 1.8), Goal("that", 1.0, reach=1.0)])[1:] == [
        ("this", "2.50", "2.4", "missed", "1.8", "missed"),
        ("that", "1.00", "", "", "1", "reached"),
    ]


def test_goals_are_meant_at_eight_connections() -> None:
    assert list(goals.of_requests([cell(connections=1, echo=[10], service=[90])])) == []


def test_every_size_has_its_goals() -> None:
    cells = [cell(size, echo=[10, 10], Go=[20, 20], service=[21, 23]) for size in goals.CPU_TIMES]

    found = {goal.what: (goal.measured, goal.must, goal.reach) for goal in _rounded(cells)}

    for size, must in goals.CPU_TIMES.items():
        assert found[f"CPU at {size} kB, times the echo's"] == (2.2, must, 1.8)
        to_go = found[f"CPU at {size} kB, times the Go handler's"]
        assert to_go == ((1.1, None, 1.0) if size == "2.7" else (1.1, 1.0, None))
        assert found[f"p99 at {size} kB, times the echo's"] == (1.0, 2.0, None)


def test_a_pod_that_is_left_alone_is_compared_with_an_injected_one() -> None:
    cells = [
        cell("9", echo=[10], service=[20]),
        cell("9-out", echo=[10], service=[12]),
        cell("9-own", echo=[10], service=[25]),
    ]

    found = {goal.what: (goal.measured, goal.must) for goal in _rounded(cells)}

    assert found["CPU for a pod that opts out, times an injected one's"] == (0.6, 1.0)
    assert found["CPU for a pod with its own daemon, times an injected one's"] == (1.25, 1.0)


def test_without_the_go_handler_nothing_is_compared_with_it() -> None:
    found = _rounded([cell(echo=[10], service=[20])])

    assert not any("Go" in goal.what for goal in found)


def test_starts_are_compared_round_by_round() -> None:
    starts = {
        ECHO: [Start(0.1, 30_000_000), Start(0.2, 30_000_000)],
        SERVICE: [Start(0.2, 46_000_000), Start(0.2, 48_000_000)],
    }

    found = [(goal.measured, goal.must) for goal in goals.of_process(starts, 50_000_000)]

    assert found == [(1.5, 3.5), (47.0, 64), (50.0, 96)]


def _rounded(cells: Sequence[Cell]) -> list[Goal]:
    """The goals, as far as rounding may be seen."""
    found = goals.of_requests(cells)
    return [Goal(goal.what, round(goal.measured, 6), goal.must, goal.reach) for goal in found]
