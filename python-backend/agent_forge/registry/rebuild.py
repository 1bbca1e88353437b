"""Make a merged model again from its recipe, every leaf proved before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from ..contract.model import Model
from ..contract.recipe import ImportOrigin, Leaf, MergeOrigin, Origin, Recipe, TrainingOrigin
from .bundle.causal_lm import count_parameters
from .bundle.view import TensorView
from .digest import digest_hashes, hash_file
from .errors import LeafError, NotRebuildableError, RegistryError, UnreadableTypeError
from .files import ModelFiles
from .leaves import leaves
from .tensors import digest_tensors, spec_of
from .verify import Rebuilt

Tensors = Mapping[str, Tensor]
Materialise = Callable[[Recipe, Mapping[str, Tensors]], Tensors]
"""(recipe, model id of each leaf → its tensors) → the tensors that the recipe makes."""
Replay = Callable[[TrainingOrigin], Tensors]
"""Train again, exactly as the first time. Raises NotRebuildableError where that was not asked for."""


class RecipeRebuilder:
    """A `verify.Rebuilder`. `lookup` gives a model's row; `replay` is left out where nobody asked to train again."""

    def __init__(
        self,
        files: ModelFiles,
        lookup: Callable[[str], Model | None],
        materialise: Materialise,
        replay: Replay | None = None,
    ) -> None:
        self._files = files
        self._lookup = lookup
        self._materialise = materialise
        self._replay = replay

    def rebuild(self, origin: Origin) -> Rebuilt:
        """Raises NotRebuildableError, LeafError, and whatever the ops raise."""
        match origin:
            case MergeOrigin():
                tensors = self.tensors(origin.recipe)
                count = len({leaf.model_id for leaf in leaves(origin.recipe)})
                detail = f"merged again from its recipe; {count} models at its leaves re-hashed"
            case TrainingOrigin() if self._replay is not None:
                tensors = self._replay(origin)
                how = f"trained again: {origin.steps} steps" if origin.steps else "weights drawn again"
                detail = f"{how} with seed {origin.seed}"
            case TrainingOrigin():
                raise not_asked_for(origin)
            case ImportOrigin():
                raise NotRebuildableError("an imported model has no recipe: its file is its origin")
        parameters = count_parameters({name: spec_of(tensor) for name, tensor in tensors.items()})
        return Rebuilt(digest=digest_tensors(tensors), parameters=parameters, detail=detail)

    def tensors(self, recipe: Recipe, above: frozenset[str] = frozenset()) -> Tensors:
        """The tensors that a recipe makes; `above` are the models whose rebuilding asked for this one."""
        found: dict[str, Tensors] = {}
        for leaf in leaves(recipe):
            if leaf.model_id not in found:
                try:
                    found[leaf.model_id] = self._leaf(leaf, above)
                except UnreadableTypeError as error:
                    op = "a leaf" if isinstance(recipe, Leaf) else recipe.op
                    raise UnreadableTypeError(f"{op}: {error}") from error
        return self._materialise(recipe, found)

    def _leaf(self, leaf: Leaf, above: frozenset[str]) -> Tensors:
        model = self._lookup(leaf.model_id)
        if model is None:
            raise LeafError(f"{leaf.model_id}, a leaf of the recipe, is not registered any more")
        try:
            paths = self._files.weights(model)
            digest = digest_hashes(map(hash_file, paths))
            if digest == leaf.digest:
                return TensorView(paths)
            reason = f"its file has the digest {digest}, the recipe was made from {leaf.digest}"
        except UnreadableTypeError:
            raise
        except (RegistryError, OSError) as error:
            reason = str(error)
        if not isinstance(model.origin, MergeOrigin) or model.id in above:
            raise LeafError(f"{model.name}, a leaf of the recipe, can't be used: {reason}")
        tensors = self.tensors(model.origin.recipe, above | {model.id})
        if digest_tensors(tensors) != leaf.digest:
            raise LeafError(f"{model.name}, a leaf of the recipe, can't be used: {reason}; rebuilt, it differs too")
        return tensors


def not_asked_for(origin: TrainingOrigin) -> NotRebuildableError:
    return NotRebuildableError(
        f"a trained model ({origin.steps} steps with seed {origin.seed}): "
        "proving it means to train it again, which was not asked for"
    )
