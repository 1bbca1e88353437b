"""Why a run of this package ends: a configuration that cannot work here, and training that diverges."""

from __future__ import annotations


class InvalidSetting(ValueError):  # noqa: N818 - names what is wrong, as the problem document does
    """A setting that cannot work here: which field, what it held, what is allowed."""

    def __init__(self, field: str, value: object, message: str, allowed: str | None = None) -> None:
        super().__init__(f"{field}: {message} (got {value!r}{f'; allowed: {allowed}' if allowed else ''})")
        self.field = field
        self.value = value
        self.message = message
        self.allowed = allowed


class TrainingDiverged(ArithmeticError):  # noqa: N818 - names what happened
    """A number that training computes is not finite any more. The same configuration always ends here."""

    code = "training_diverged"
    hint = (
        "Make a new run: lower muon_learning_rate and adamw_learning_rate first; a longer warmup_fraction, a smaller "
        "gradient_clip or precision fp32 help too. A retry repeats the same steps and diverges again."
    )

    def __init__(self, stage: str, step: int, total_steps: int, what: str) -> None:
        super().__init__(f"stage {stage}, step {step} of {total_steps}: {what}")
        self.stage, self.step = stage, step
