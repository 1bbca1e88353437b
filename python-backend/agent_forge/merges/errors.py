"""Why a merge configuration is refused, and why a recipe cannot be said as one."""

from __future__ import annotations


class ConfigurationRefused(ValueError):  # noqa: N818 - says what was done with it
    """What is not supported, or is no merge configuration, with its place.

    line: from 1. key: `slices.0.residual_weight`; empty for the document itself."""

    code = "configuration_refused"

    def __init__(self, line: int, key: str, message: str) -> None:
        where = f"line {line}: `{key}`" if key else f"line {line}"
        super().__init__(f"{where}: {message}")
        self.line, self.key, self.message = line, key, message


class NotExpressible(ValueError):  # noqa: N818 - says what the recipe is
    """mergekit has no words for a part of the recipe."""

    code = "not_expressible"


class RecipeRefused(ValueError):  # noqa: N818 - says what was done with it
    """A recipe that is asked for cannot be made. field: `recipe.inputs.0.parameters.density`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message
