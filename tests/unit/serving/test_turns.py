"""Who is served when more connections are ready than are served at once."""

import selectors
import socket
from collections.abc import Iterator

import pytest

from webhook.serving.turns import AT_ONCE, Turns

COUNT = 2 * AT_ONCE + 1


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = [socket.socketpair() for _ in range(COUNT)]
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


@pytest.fixture
def turns(pairs: list[tuple[socket.socket, socket.socket]]) -> Iterator[Turns]:
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
