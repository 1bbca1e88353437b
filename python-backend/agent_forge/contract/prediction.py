"""What a model says to a prompt: whole, or token by token as it says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from .base import Count, Flag, Request, Resource, Seed


class PredictRequest(Request):
    prompt: str = Field(min_length=1, max_length=4096)
    max_tokens: int = Field(default=32, ge=1, le=512, description="most tokens of the answer")
    chat: Flag = Field(
        default=False,
        description="put the prompt into the model's chat template, as a user's message that the model is to answer",
    )
    temperature: float = Field(
        default=0.0,
        ge=0.0,
        le=2.0,
        description="0: the likeliest token each time; above, tokens are drawn from softmax(logits / temperature)",
    )
    seed: Seed = Field(default=0, description="of the draws, where temperature is above 0")


class TokenProbability(Resource):
    text: str
    probability: float
    """0 to 1, at temperature 1."""


class PredictedToken(Resource):
    type: Literal["token"] = "token"
    text: str
    """What it adds to the answer: empty where it is the beginning of a character that takes several tokens."""
    probability: float
    """0 to 1, at temperature 1."""
    likeliest: list[TokenProbability]
    """The five likeliest tokens in its place, itself among them unless others were likelier."""
    depth: float | None
    """Blocks that the token passed before it halted (ACT); null where depth does not adapt."""
    memory_gate: float | None
    """Mean opening of the memory gate, 0 to 1; null where there is none, or what it computes is not finite."""


class PredictionBegun(Resource):
    type: Literal["begun"] = "begun"
    read: str
    """The prompt as the model reads it: by its chat template where that was asked for."""
    prompt_tokens: Count


class PredictionEnded(Resource):
    type: Literal["ended"] = "ended"
    answer: str
    """All tokens together."""
    reason: Literal["end_token", "max_tokens", "context_full", "fault"]
    """What it ended at: a token that ends answers, the limit asked for, the longest text that the model reads, or
    outputs that are not finite."""
    fault: str | None = None
    """Why there is no further token although there could be: what the model computes is not finite."""
    seconds: float


class PredictionFailed(Resource):
    """Something went wrong after the answer had begun; nothing follows."""

    type: Literal["failed"] = "failed"
    code: str
    detail: str


AnyPart = PredictionBegun | PredictedToken | PredictionEnded
"""What a process that predicts says, in this order: one, any number, one."""


class PredictionPart(RootModel[Annotated[AnyPart | PredictionFailed, Field(discriminator="type")]]):
    """One line of a streamed answer: `begun`, then `token`s, then `ended`; or `failed`, where it breaks off."""


class Prediction(Resource):
    model_id: str
    prompt: str
    answer: str
    tokens: list[PredictedToken]
    reason: Literal["end_token", "max_tokens", "context_full", "fault"]
    fault: str | None = None
    """Why there is no further token although there could be: what the model computes is not finite."""
    seconds: float
