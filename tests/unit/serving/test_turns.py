"""Who is served when more connections are ready than are served at once."""

import asyncio
import math
import os
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from webhook.serving.turns import AT_ONCE, new_event_loop

if sys.platform != "linux":
    pytest.skip("asyncio's own selector is used elsewhere", allow_module_level=True)
from webhook.serving.turns import Turns

COUNT = 2 * AT_ONCE + 1


@contextmanager
def connected(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Pairs of sockets, ours first."""
    pairs = [socket.socketpair() for _ in range(count)]
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with connected(COUNT) as pairs:
        yield pairs


@pytest.fixture
def no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr("webhook.serving.turns._LONG", math.inf)


@pytest.fixture
def turns(
    pairs: list[tuple[socket.socket, socket.socket]],
    no_standstill: None,  # noqa: ARG001
) -> Iterator[Turns]:
    with Turns() as turns:
        for number, (ours, _) in enumerate(pairs):
            turns.register(ours, selectors.EVENT_READ, number)
        yield turns


def served(turns: Turns) -> list[int]:
    return [key.data for key, _ in turns.select(0)]


def test_everyone_has_a_turn_before_anyone_has_two(
    turns: Turns, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """All of them stay ready: nobody reads."""
    for _, theirs in pairs:
        theirs.send(b"x")
    order = [number for _ in range(3) for number in served(turns)]
    assert sorted(order[:COUNT]) == list(range(COUNT))
    assert order[COUNT:] == order[: len(order) - COUNT]


def test_who_comes_late_is_served_before_anyone_is_served_twice(
    turns: Turns, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    for _, theirs in pairs[:-1]:
        theirs.send(b"x")
    first = served(turns)
    for number in first:
        pairs[number][0].recv(1)
    pairs[-1][1].send(b"x")  # late
    for number in first:
        pairs[number][1].send(b"x")  # again
    order = [number for _ in range(3) for number in served(turns)]
    assert sorted(order[:COUNT]) == list(range(COUNT))


def test_nobody_ready_is_nobody_served(turns: Turns) -> None:
    assert served(turns) == []


def test_the_end_of_a_connection_makes_it_ready(
    turns: Turns, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    pairs[3][1].close()
    assert served(turns) == [3]


def test_it_tells_what_each_is_ready_for(
    turns: Turns, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    turns.modify(pairs[2][0], selectors.EVENT_READ | selectors.EVENT_WRITE, "two")
    ((key, events),) = turns.select(0)
    assert (key.data, events) == ("two", selectors.EVENT_WRITE)
    pairs[2][1].send(b"x")
    ((key, events),) = turns.select(0)
    assert events == selectors.EVENT_READ | selectors.EVENT_WRITE


@pytest.mark.usefixtures("no_standstill")
def test_the_service_s_loop_takes_turns(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    """Fewer than are ready are served in one round of the loop."""
    rounds: list[int] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        served: list[socket.socket] = []
        for ours, theirs in pairs:
            loop.add_reader(ours, served.append, ours)
            theirs.send(b"x")
        for _ in range(3):
            before = len(served)
            await asyncio.sleep(0)
            rounds.append(len(served) - before)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(scenario())
    assert max(rounds) == AT_ONCE


def test_a_descriptor_that_was_closed_behind_its_back_is_passed_over(
    turns: Turns, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    ours, theirs = pairs[0]
    copy = os.dup(ours.fileno())  # keeps it open for the kernel
    theirs.send(b"x")
    del turns._fd_to_key[ours.fileno()]
    assert served(turns) == []
    os.close(copy)


def test_after_a_standstill_what_came_is_read_before_deadlines_pass() -> None:
    """As after SIGCONT, or where the CPU was taken away."""
    read: list[int] = []
    late: list[int] = []

    async def scenario(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
        loop = asyncio.get_running_loop()
        for number, (ours, theirs) in enumerate(pairs):
            deadline = loop.call_later(0.05, late.append, number)

            def take(
                ours: socket.socket = ours,
                number: int = number,
                deadline: asyncio.TimerHandle = deadline,
            ) -> None:
                ours.recv(1)
                deadline.cancel()
                read.append(number)

            loop.add_reader(ours, take)
            theirs.send(b"x")
        time.sleep(0.4)  # noqa: ASYNC251 - the standstill
        await asyncio.sleep(0.1)

    with connected(10 * AT_ONCE) as pairs, asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(scenario(pairs))
    assert len(read) == 10 * AT_ONCE
    assert late == []
