from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event, get_ident

import pytest

from agent_forge.evomerge.ahead import ahead


@pytest.mark.parametrize("count", [1, 2, 9])
def test_results_come_in_order_and_from_another_thread(count: int) -> None:
    def work(number: int) -> tuple[int, int]:
        return number, get_ident()

    found = list(ahead([partial(work, number) for number in range(count)]))
    assert [number for number, _ in found] == list(range(count))
    assert len({thread for _, thread in found} - {get_ident()}) == 1


def test_the_next_is_made_while_the_last_is_worked_with_and_none_beyond() -> None:
    begun = [Event() for _ in range(4)]

    def work(number: int) -> int:
        begun[number].set()
        return number

    for number in ahead([partial(work, number) for number in range(4)]):
        if number < 3:
            assert begun[number + 1].wait(600)
        if number < 2:
            assert not begun[number + 2].is_set()


def test_what_fails_raises_where_its_result_would_come() -> None:
    def fails() -> int:
        raise ArithmeticError("second")

    work: list[Callable[[], int]] = [lambda: 1, fails, lambda: 3]
    coming = ahead(work)
    assert next(coming) == 1
    with pytest.raises(ArithmeticError, match="second"):
        next(coming)
    assert list(coming) == []


def test_closing_waits_for_what_is_being_made() -> None:
    let_go, ended = Event(), Event()

    def slow() -> int:
        let_go.wait(600)
        ended.set()
        return 2

    coming = ahead([lambda: 1, slow])
    next(coming)
    let_go.set()
    coming.close()
    assert ended.is_set()
