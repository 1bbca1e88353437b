"""When evolution ends before its last generation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Gains(BaseModel):
    """The best fitness that counted as a gain, and how many generations ago."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    best: float | None = None
    waited: int = 0

    def after(self, best: float, min_delta: float) -> Gains:
        """Once another generation's best is known. The first generation is always a gain."""
        if self.best is None or best >= self.best + min_delta:
            return Gains(best=best, waited=0)
        return Gains(best=self.best, waited=self.waited + 1)

    def exhausted(self, patience: int | None) -> bool:
        return patience is not None and self.waited >= patience
