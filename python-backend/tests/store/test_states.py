from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_forge.contract.event import RunEvent
from agent_forge.contract.run import RunStatus as S
from agent_forge.store.errors import IllegalTransition
from agent_forge.store.states import ENDED, HELD, TRANSITIONS, Action, step


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("start succeed", S.succeeded),
        ("start fail", S.failed),
        ("start fail retry start succeed", S.succeeded),
        ("start pause stopped resume start succeed", S.succeeded),
        ("start pause interrupt", S.paused),
        ("start pause cancel stopped", S.cancelled),
        ("start pause succeed", S.succeeded),
        ("start cancel stopped retry", S.queued),
        ("start cancel interrupt", S.cancelled),
        ("start interrupt requeue start", S.running),
        ("start interrupt exhaust", S.failed),
        ("start interrupt cancel", S.cancelled),
        ("pause resume start", S.running),
        ("pause cancel", S.cancelled),
        ("cancel retry", S.queued),
    ],
)
def test_paths(path: str, want: S) -> None:
    status = S.queued
    for action in path.split():
        status, _ = step(status, Action(action))
    assert status is want


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (S.succeeded, Action.retry),
        (S.succeeded, Action.cancel),
        (S.running, Action.resume),
        (S.running, Action.start),
        (S.queued, Action.succeed),
        (S.paused, Action.pause),
        (S.failed, Action.cancel),
        (S.cancelled, Action.resume),
    ],
)
def test_what_means_nothing_is_refused_with_what_is_possible(status: S, action: Action) -> None:
    with pytest.raises(IllegalTransition, match=rf"{status} cannot {action}"):
        step(status, action)


def test_every_state_is_reached_and_only_success_is_final() -> None:
    assert {to for to, _ in TRANSITIONS.values()} == set(S)
    assert set(S) - {status for status, _ in TRANSITIONS} == {S.succeeded}


def test_a_worker_holds_a_run_from_start_to_a_state_that_is_not_held() -> None:
    entries = {(before, after) for (before, _), (after, _) in TRANSITIONS.items() if after in HELD}
    assert {before for before, _ in entries if before not in HELD} == {S.queued}
    for status in HELD:
        # Whatever a worker does or becomes, the run has somewhere to go.
        assert step(status, Action.interrupt)[0] not in HELD
        assert step(status, Action.succeed)[0] in ENDED


def test_every_event_is_one_of_the_contract() -> None:
    known = set(typing.get_args(RunEvent.model_fields["type"].annotation))
    assert {event for _, event in TRANSITIONS.values()} <= known


@given(st.lists(st.sampled_from(list(Action)), max_size=30))
def test_no_sequence_of_actions_leaves_the_table(actions: list[Action]) -> None:
    status = S.queued
    for action in actions:
        try:
            status, event = step(status, action)
        except IllegalTransition:
            continue
        assert event.startswith("run.")
    assert status in S
