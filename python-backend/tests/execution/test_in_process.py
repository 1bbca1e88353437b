"""Children in this process: in order, one begun ahead, cancelled where they are closed."""

from __future__ import annotations

from collections.abc import Generator
from threading import Event, get_ident

import pytest

from agent_forge.execution.executor import Shared
from agent_forge.execution.in_process import InProcess

NOTHING: Shared[None] = Shared(None, lambda *_: None, lambda: (None, {}), 0)


class Number(int):
    @property
    def name(self) -> str:
        return str(int(self))


def numbers(count: int) -> list[Number]:
    return [Number(number) for number in range(count)]


def idle() -> None:
    """Nothing to poll."""


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_streams_come_in_order_and_begin_on_another_thread(count: int) -> None:
    def work(context: None, number: Number) -> Generator[tuple[int, int]]:
        yield number, get_ident()
        yield number, get_ident()

    streams = [list(stream) for stream in InProcess().map(work, NOTHING, numbers(count), idle)]
    assert [[number for number, _ in items] for items in streams] == [[number] * 2 for number in range(count)]
    assert len({items[0][1] for items in streams} - {get_ident()}) == min(count, 1)
    assert {items[1][1] for items in streams} <= {get_ident()}


def test_the_next_begins_while_the_last_is_worked_with_and_none_beyond() -> None:
    begun = [Event() for _ in range(4)]

    def work(context: None, number: Number) -> Generator[int]:
        begun[number].set()
        yield number

    for stream in InProcess().map(work, NOTHING, numbers(4), idle):
        number = next(stream)
        if number < 3:
            assert begun[number + 1].wait(600)
        if number < 2:
            assert not begun[number + 2].is_set()


def test_what_fails_raises_where_its_item_would_come() -> None:
    def work(context: None, number: Number) -> Generator[int]:
        yield number
        if number == 1:
            raise ArithmeticError("second")
        yield number

    streams = InProcess().map(work, NOTHING, numbers(2), idle)
    assert list(next(streams)) == [0, 0]
    second = next(streams)
    assert next(second) == 1
    with pytest.raises(ArithmeticError, match="second"):
        next(second)
    assert list(streams) == []


def test_what_fails_at_once_leaves_the_others() -> None:
    def work(context: None, number: Number) -> Generator[int]:
        if number == 1:
            raise ArithmeticError("second")
        yield number

    streams = InProcess().map(work, NOTHING, numbers(3), idle)
    assert list(next(streams)) == [0]
    with pytest.raises(ArithmeticError, match="second"):
        next(next(streams))
    assert list(next(streams)) == [2]


def test_asking_for_the_next_cancels_the_last() -> None:
    cancelled = []

    def work(context: None, number: Number) -> Generator[int]:
        try:
            yield number
            yield number
        finally:
            cancelled.append(number)

    streams = InProcess().map(work, NOTHING, numbers(3), idle)
    for number, stream in enumerate(streams):
        assert next(stream) == number
        assert cancelled == list(range(number))
    assert cancelled == [0, 1, 2]


def test_closing_waits_for_what_is_begun() -> None:
    let_go, ended = Event(), Event()

    def work(context: None, number: Number) -> Generator[int]:
        if number == 1:
            let_go.wait(600)
            ended.set()
        yield number

    streams = InProcess().map(work, NOTHING, numbers(3), idle)
    next(next(streams))
    let_go.set()
    streams.close()
    assert ended.is_set()


def test_arrivals_come_child_after_child_in_this_thread() -> None:
    def work(context: None, number: Number) -> Generator[int]:
        yield get_ident()
        yield number

    own = get_ident()
    assert list(InProcess().arrivals(work, NOTHING, numbers(2), idle)) == [(0, own), (0, 0), (1, own), (1, 1)]
