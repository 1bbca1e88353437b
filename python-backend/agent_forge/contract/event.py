"""All events, as unions discriminated by `type`.

Durable events are stored with their state change in one transaction and numbered without gaps.
Live events are the latest of something fast: never stored, latest wins.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from .base import Count, Resource, Time
from .cognate import TrainingEvaluation, TrainingStep
from .evomerge import Candidate, Generation
from .model import Model, Verification
from .run import LogLine, Progress, Run


class _Durable(Resource):
    epoch: str
    """Random id of the backend's database: another epoch means another history."""
    seq: Count
    run_id: str | None
    run_seq: Count | None
    """Number within the run, without gaps."""
    time: Time


class RunEvent(_Durable):
    type: Literal[
        "run.created",
        "run.queued",
        "run.started",
        "run.pausing",
        "run.paused",
        "run.cancelling",
        "run.resumed",
        "run.interrupted",
        "run.cancelled",
        "run.failed",
        "run.succeeded",
        "run.updated",
    ]
    payload: Run


class ModelRegistered(_Durable):
    type: Literal["model.registered"]
    payload: Model


class ModelDeletedPayload(Resource):
    id: str


class ModelDeleted(_Durable):
    type: Literal["model.deleted"]
    payload: ModelDeletedPayload


class ModelVerified(_Durable):
    type: Literal["model.verified"]
    payload: Verification


class TrainingEvaluated(_Durable):
    type: Literal["training.evaluated"]
    payload: TrainingEvaluation


class CandidateEvaluated(_Durable):
    type: Literal["candidate.evaluated"]
    payload: Candidate


class GenerationCompleted(_Durable):
    type: Literal["generation.completed"]
    payload: Generation


class RunLog(_Durable):
    type: Literal["run.log"]
    payload: LogLine


AnyEvent = (
    RunEvent
    | ModelRegistered
    | ModelDeleted
    | ModelVerified
    | TrainingEvaluated
    | CandidateEvaluated
    | GenerationCompleted
    | RunLog
)


class Event(RootModel[Annotated[AnyEvent, Field(discriminator="type")]]):
    """A durable event."""


class _Live(Resource):
    epoch: str
    run_id: str
    time: Time


class LiveStep(_Live):
    type: Literal["training.step"]
    payload: TrainingStep


class LiveProgress(_Live):
    type: Literal["run.progress"]
    payload: Progress


class LiveEvent(RootModel[Annotated[LiveStep | LiveProgress, Field(discriminator="type")]]):
    """A live event: latest wins, may be dropped."""


class EventPage(Resource):
    epoch: str
    reset: Literal["unknown_epoch", "cursor_ahead"] | None
    """Set where the cursor means nothing here: start again from `after=0` with this epoch."""
    last_seq: Count
    """Newest event there was when the page was read."""
    events: list[Event]
