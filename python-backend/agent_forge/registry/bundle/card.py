"""The model card of a bred or merged model: README.md as model pages show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...contract.architecture import CausalLM
from ...contract.job import ModelDraft
from ...contract.recipe import Leaf, MergeOrigin, Recipe

_MOST_LINES = 400
"""Of the recipe as it is shown; recipe.json has all of it."""


def card(draft: ModelDraft, digest: str) -> str:
    """Markdown: what the model is made of, how, what it scores on which data sets, and how that is verified.

    digest: of its tensors, see `registry.digest`.
    """
    return "\n".join([*_front(draft), "", *_made(draft), "", *_scores(draft.metrics), *_verified(digest)]) + "\n"


def _front(draft: ModelDraft) -> Iterator[str]:
    yield "---"
    yield "library_name: transformers"
    yield "tags: [merge]"
    yield "---"
    yield f"# {draft.name}"
    if isinstance(draft.architecture, CausalLM):
        own = draft.architecture
        bred = isinstance(draft.origin, MergeOrigin) and draft.origin.candidate_id is not None
        how = "bred" if bred else "merged"
        yield ""
        yield f"A {own.model_type} of {own.layers} layers, {own.dtype}, {how} by Agent Forge. Nothing was trained."


def _made(draft: ModelDraft) -> Iterator[str]:
    if not isinstance(draft.origin, MergeOrigin):
        return
    yield "## What it is made of"
    yield ""
    yield "| model | digest of its tensors |"
    yield "|---|---|"
    leaves = {leaf.model_id: leaf.digest for leaf in _leaves(draft.origin.recipe)}
    for model_id, digest in leaves.items():
        yield f"| `{model_id}` | `{digest}` |"
    yield ""
    if draft.mergekit is not None:
        yield "As a merge configuration of mergekit; the recipe, which determines every bit, is `recipe.json`:"
        lines = draft.mergekit.splitlines()
    else:
        yield "The recipe, whole in `recipe.json`:"
        lines = list(_yaml(draft.origin.recipe, ""))
    yield ""
    yield "```yaml"
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"# and {len(lines) - _MOST_LINES} lines more"
    yield "```"


def _scores(metrics: Mapping[str, float]) -> Iterator[str]:
    """Keys are `<split>/fitness` and `<split>/<measure>/<data set>`, as evolution writes them."""
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for key, value in metrics.items():
        split, _, rest = key.partition("/")
        measure, _, dataset = rest.partition("/")
        if dataset:
            rows.setdefault((split, dataset), {})[measure] = value
    if not rows:
        return
    yield "## Scores"
    yield ""
    yield "Candidates were selected on `selection`; `heldout` was read once, at the end."
    yield ""
    yield "| split | data set | loss, nats | accuracy |"
    yield "|---|---|--:|--:|"
    for (split, dataset), found in rows.items():
        yield f"| {split} | `{dataset}` | {found.get('loss', 0):.4f} | {found.get('accuracy', 0):.4f} |"
    yield ""


def _verified(digest: str) -> Iterator[str]:
    yield "## How to verify"
    yield ""
    yield f"The digest of the tensors is `{digest}`: SHA-256 over the sorted (name, type, shape, SHA-256 of the bytes)."
    yield "Where the models above are registered, `POST /api/v1/models/{id}/verify` hashes the files, counts the"
    yield "parameters, makes the model again from its recipe, and compares bit for bit."


def _leaves(recipe: Recipe) -> Iterator[Leaf]:
    if isinstance(recipe, Leaf):
        yield recipe
        return
    for part in [*recipe.inputs, *([recipe.base] if recipe.base is not None else [])]:
        yield from _leaves(part)


def _yaml(recipe: Recipe, indent: str) -> Iterator[str]:
    """For reading: JSON values, which are YAML."""
    if isinstance(recipe, Leaf):
        yield f"{indent}model: {recipe.model_id}"
        return
    yield f"{indent}op: {recipe.op}"
    yield f"{indent}seed: {recipe.seed}"
    for name, value in recipe.parameters.items():
        if name == "calibration" or value in ([], {}):
            continue
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from (f"{indent}  {key}: {one}" for key, one in value.items())
        else:
            yield f"{indent}{name}: {value}"
    if recipe.base is not None:
        yield f"{indent}base:"
        yield from _yaml(recipe.base, indent + "  ")
    yield f"{indent}inputs:"
    for part in recipe.inputs:
        first, *rest = _yaml(part, indent + "    ")
        yield f"{indent}  - {first.strip()}"
        yield from rest
