"""The run state machine as a table. Pure: no clock, no database."""

from __future__ import annotations

from enum import StrEnum

from ..contract.run import RunStatus as S
from .errors import IllegalTransition


class Action(StrEnum):
    """What can happen to a run: the user's commands, and what its worker or supervisor reports."""

    start = "start"
    pause = "pause"
    resume = "resume"
    cancel = "cancel"
    retry = "retry"
    stopped = "stopped"
    """The worker has obeyed: a pausing run is paused, a cancelling one cancelled."""
    interrupt = "interrupt"
    """The worker is gone."""
    requeue = "requeue"
    exhaust = "exhaust"
    """Interrupted too often without progress."""
    succeed = "succeed"
    fail = "fail"


COMMANDS = frozenset({Action.pause, Action.resume, Action.cancel, Action.retry})

TRANSITIONS: dict[tuple[S, Action], tuple[S, str]] = {
    (S.queued, Action.start): (S.running, "run.started"),
    (S.queued, Action.pause): (S.paused, "run.paused"),
    (S.queued, Action.cancel): (S.cancelled, "run.cancelled"),
    (S.running, Action.pause): (S.pausing, "run.pausing"),
    (S.running, Action.cancel): (S.cancelling, "run.cancelling"),
    (S.running, Action.interrupt): (S.interrupted, "run.interrupted"),
    (S.running, Action.succeed): (S.succeeded, "run.succeeded"),
    (S.running, Action.fail): (S.failed, "run.failed"),
    (S.pausing, Action.stopped): (S.paused, "run.paused"),
    # A worker that dies while pausing has stopped, and its last checkpoint stands.
    (S.pausing, Action.interrupt): (S.paused, "run.paused"),
    (S.pausing, Action.cancel): (S.cancelling, "run.cancelling"),
    # The last step was done before the worker saw the command.
    (S.pausing, Action.succeed): (S.succeeded, "run.succeeded"),
    (S.pausing, Action.fail): (S.failed, "run.failed"),
    (S.cancelling, Action.stopped): (S.cancelled, "run.cancelled"),
    (S.cancelling, Action.interrupt): (S.cancelled, "run.cancelled"),
    (S.cancelling, Action.succeed): (S.succeeded, "run.succeeded"),
    (S.cancelling, Action.fail): (S.failed, "run.failed"),
    (S.paused, Action.resume): (S.queued, "run.resumed"),
    (S.paused, Action.cancel): (S.cancelled, "run.cancelled"),
    (S.interrupted, Action.requeue): (S.queued, "run.queued"),
    (S.interrupted, Action.exhaust): (S.failed, "run.failed"),
    (S.interrupted, Action.cancel): (S.cancelled, "run.cancelled"),
    (S.failed, Action.retry): (S.queued, "run.queued"),
    (S.cancelled, Action.retry): (S.queued, "run.queued"),
}

HELD = frozenset({S.running, S.pausing, S.cancelling})
"""States in which a worker holds the run."""

ENDED = frozenset({S.succeeded, S.failed, S.cancelled})


def step(status: S, action: Action) -> tuple[S, str]:
    """The next state and the event that reports it. Raises `IllegalTransition`."""
    try:
        return TRANSITIONS[status, action]
    except KeyError:
        allowed = sorted(a for (s, a) in TRANSITIONS if s is status and a in COMMANDS)
        raise IllegalTransition(status, action, allowed) from None
