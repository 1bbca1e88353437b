"""Which row of which model's embedding stands for each token of a target vocabulary. Free of torch.

Documentation: https://github.com/arcee-ai/mergekit/blob/main/README.md#tokenizer-configuration
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import BadParameter, ShapesDiffer

Vocabulary = Mapping[str, int]
"""Ids by token."""
Vocabularies = Callable[[str], Vocabulary]
"""A vocabulary by its digest (`Tokenizer.vocabulary`). It vouches for it. Raises `LookupError` where none is known."""
Indices = npt.NDArray[np.int64]


class TokenRow(BaseModel):
    """Whose row stands for a token; without an input: zeros."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: int | None = Field(default=None, ge=0)
    token: str | None = None
    """Of that input; null, and no id: the token itself."""
    id: int | None = Field(default=None, ge=0)
    force: bool = False
    """Also in models that have the token."""

    @model_validator(mode="after")
    def _one_row(self) -> TokenRow:
        if (self.token is not None and self.id is not None) or (
            self.input is None and (self.token, self.id) != (None, None)
        ):
            raise ValueError("an input with at most one of token and id, or no input and neither")
        return self


@dataclass(frozen=True)
class Known:
    """A model's vocabulary, and how many rows its embedding has: tokens beyond them have none."""

    vocabulary: Vocabulary
    rows: int

    def row(self, token: str) -> int | None:
        found = self.vocabulary.get(token)
        return found if found is not None and found < self.rows else None


@dataclass(frozen=True)
class Filling:
    """Rows of the result that are the mean of rows of the same models; of one model, those rows; of none, zeros."""

    rows: Indices
    """(n,) of the result."""
    sources: tuple[tuple[int, Indices], ...]
    """(model, its rows (n,))"""


def target_of(models: Sequence[Known], target: int | None, added: Iterable[str] = ()) -> dict[str, int]:
    """The vocabulary of model `target`; None: that of the first, and behind it what the others have beside it, model by
    model, by id. Then what is `added`, in the order of its characters. Tokens without a row are left out."""
    found: dict[str, int] = {}
    following = 0
    for model in models if target is None else [models[target]]:
        own = sorted((id_, token) for token, id_ in model.vocabulary.items() if id_ < model.rows)
        if not found:
            found = {token: id_ for id_, token in own}
            following = own[-1][0] + 1 if own else 0
            continue
        for _, token in own:
            if token not in found:
                found[token], following = following, following + 1
    for token in sorted(added):
        if token not in found:
            found[token], following = following, following + 1
    return found


def size_of(target: Vocabulary, multiple: int) -> tuple[int, int]:
    """(rows up to the last token's, rows with those that only fill up to a multiple)."""
    tokens = max(target.values(), default=-1) + 1
    return tokens, -(-tokens // multiple) * multiple


def fillings(
    models: Sequence[Known], index: int, target: Vocabulary, tokens: Mapping[str, TokenRow], *, based: bool
) -> list[Filling]:
    """Where the rows of model `index` come from when it has the target's vocabulary: each row up to the last token's
    in one filling.

    A token that it has keeps its row. For others that of the only model which has it counts, then, where the first is
    a base, its; then the mean of those that have it; zeros where none has. tokens: those that go their own way.
    Raises `BadParameter`, `ShapesDiffer`.
    """
    for model in models:
        if not any(id_ < model.rows for id_ in model.vocabulary.values()):
            raise ShapesDiffer(f"an embedding of {model.rows} rows has none for the tokens of its vocabulary")
    chosen: dict[tuple[int, ...], list[tuple[int, ...]]] = defaultdict(list)
    unnamed = set(range(size_of(target, 1)[0]))
    for token, id_ in target.items():
        sources = _sources(models, index, token, tokens.get(token), based)
        chosen[tuple(model for model, _ in sources)].append((id_, *(row for _, row in sources)))
        unnamed.discard(id_)
    # ids that are nobody's
    chosen[()] += [(id_,) for id_ in sorted(unnamed)]
    found = []
    for group, entries in sorted(chosen.items()):
        columns = np.array(sorted(entries), dtype=np.int64).reshape(len(entries), 1 + len(group)).T
        found.append(Filling(columns[0], tuple(zip(group, columns[1:], strict=True))))
    return [filling for filling in found if len(filling.rows)]


def _sources(
    models: Sequence[Known], index: int, token: str, own: TokenRow | None, based: bool
) -> list[tuple[int, int]]:
    """(model, row), of which the mean stands for the token."""
    kept = models[index].row(token)
    if kept is not None and not (own is not None and own.force):
        return [(index, kept)]
    if own is not None:
        return [] if own.input is None else [(own.input, _named(models, token, own, own.input))]
    having = [(model, row) for model, known in enumerate(models) if (row := known.row(token)) is not None]
    return having[:1] if based and having and having[0][0] == 0 else having


def _named(models: Sequence[Known], token: str, own: TokenRow, model: int) -> int:
    if model >= len(models):
        raise BadParameter(f"tokens: {token!r} is to come from input {model} of {len(models)}")
    if own.id is not None:
        row = own.id if own.id < models[model].rows else None
    else:
        row = models[model].row(token if own.token is None else own.token)
    if row is None:
        what = f"row {own.id}" if own.id is not None else f"token {token if own.token is None else own.token!r}"
        raise BadParameter(f"tokens: {token!r} is to come from input {model}, which has no {what}")
    return row
