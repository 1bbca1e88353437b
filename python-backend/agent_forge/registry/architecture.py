"""Which architecture a file's tensors are of, and what a file says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from ..contract.architecture import (
    ARCHITECTURES,
    Architecture,
    ModuleParameters,
    TinyTitan,
    fitted,
    parameter_table,
    tensor_shapes,
)
from ..contract.recipe import Recipe
from .bundle.causal_lm import is_parameter
from .errors import WrongShapeError
from .families.layout import layout_of
from .header import Header, TensorSpec, file_bytes, float32

RECIPE = "recipe"
"""Key of a header's text."""
_RECIPE: TypeAdapter[Recipe] = TypeAdapter(Recipe)


def file_metadata(architecture: Architecture | None, recipe: Recipe | None = None) -> dict[str, str]:
    """The text in our files' headers. It is part of the file's bytes, so it holds nothing that can vary.

    recipe: of a merged TinyTitan, which is a file alone; a folder has it beside the weights.
    """
    if not isinstance(architecture, TinyTitan):
        return {"format": "pt"}
    # without its kind: the files of the time before there were others stay the same to the byte
    own = {"format": "pt", "architecture": architecture.model_dump_json(exclude={"kind"})}
    return own if recipe is None else {**own, RECIPE: recipe.model_dump_json()}


def named_recipe(header: Header) -> Recipe | None:
    """What a lone file's header says that the model was made of; None where it says nothing that is a recipe.

    It is what somebody says: only to make the model again proves it.
    """
    try:
        return _RECIPE.validate_json(header.metadata[RECIPE])
    except (KeyError, ValidationError, RecursionError):
        return None


def forecast_bytes(architecture: TinyTitan) -> int:
    """Exact size of the safetensors file of a model that doesn't exist yet."""
    return file_bytes(float32(tensor_shapes(architecture)), file_metadata(architecture))


def check_shapes(found: Mapping[str, tuple[int, ...]], architecture: Architecture) -> None:
    """Raises WrongShapeError, naming the first tensor that differs. A causal LM's shapes are not known beforehand."""
    if not isinstance(architecture, TinyTitan):
        return
    expected = tensor_shapes(architecture)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise WrongShapeError(f"{name}: expected {expected.get(name)}, found {found.get(name)}")


def recognise(header: Header) -> TinyTitan | None:
    """The architecture of a lone file: the one it names, if that fits, else a preset with its shapes.

    Null where none fits. Blocks may be more or fewer than the preset's, since stacks of blocks are merges too.
    Only float32 counts: models of other precisions can be kept, but not run or merged with ours.
    """
    if any(spec.dtype != "F32" for spec in header.tensors.values()):
        return None
    shapes = header.shapes
    named = _named(header.metadata.get("architecture"))
    candidates = [*([named] if named else []), *ARCHITECTURES.values()]
    return next(filter(None, (fitted(candidate, shapes) for candidate in candidates)), None)


def modules(specs: Mapping[str, TensorSpec], model_type: str | None = None) -> list[ModuleParameters]:
    """Parameters by module, in the order that the model uses them, as far as its family tells."""
    layout = layout_of(specs, model_type)
    names = sorted(specs, key=layout.order)
    return parameter_table({name: specs[name].shape for name in names if is_parameter(name, specs[name], layout)})


def _named(text: str | None) -> TinyTitan | None:
    try:
        return TinyTitan.model_validate(json.loads(text)) if text else None
    except (ValueError, ValidationError, RecursionError):
        return None
