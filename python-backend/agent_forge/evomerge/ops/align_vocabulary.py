from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field, ValidationError
from torch import Tensor

from ...registry.families.layout import Layout
from ..errors import BadParameter, ShapesDiffer
from ..vocabulary import Filling, Known, TokenRow, Vocabularies, fillings, size_of, target_of
from . import buffer_pool
from .chunks import converted
from .combination import combined
from .compiled import Array, Floats, kernel
from .registry import Models, StateDict, merge_op

_TAKEN = 2**24
"""Bytes of rows that are taken at once."""


@merge_op(
    source="mergekit docs, tokenizer configuration, github.com/arcee-ai/mergekit#tokenizer-configuration", copies=True
)
def align_vocabulary(
    models: Models,
    vocabularies: Vocabularies,
    layout: Layout,
    *,
    index: Annotated[int, Field(ge=0, le=1023, description="index of the model that is aligned, from 0")] = 0,
    of: Annotated[
        list[str], Field(description="digest of each model's vocabulary (`tokenizer.vocabulary`); empty: they are one")
    ] = [],  # noqa: B006 - a default of the schema, never changed
    target: Annotated[
        int, Field(ge=-1, le=1023, description="index of the model whose vocabulary the result has; -1: that of all")
    ] = -1,
    based: Annotated[
        bool, Field(description="the first model is a base: its rows stand in for tokens that others lack")
    ] = False,
    tokens: Annotated[
        dict[str, dict[str, Any]],
        Field(
            description="token → where its row comes from: `input`, a model's index, with `token` or `id` of another "
            "row of it; nothing: zeros. With `force` also in models that have the token. New tokens are added"
        ),
    ] = {},  # noqa: B006
    multiple_of: Annotated[int, Field(ge=1, le=2**20, description="fill the rows up to a multiple of this")] = 1,
) -> StateDict:
    """One model with the rows of its embedding and head in the order of another vocabulary, so that it can be merged
    with models of that vocabulary.

    A token that the model has keeps its row. For one that it lacks the row comes from the only model that has it; else,
    where the first is a base that has it, from the base; else it is the mean of those of the models that have it, or
    zero where none has. The vocabulary of all is the first's, then what the others have beside it, model by model in
    the order of their ids. Rows beyond a vocabulary are left out, those of `multiple_of` are the mean of all rows. All
    other tensors, and heads that are tied, stay as they are. Vocabularies are known by digest: whoever makes the model
    needs the tokenizers.

    Edges: without `of` the model stays as it is. An index beyond the models, and a row that is not there, are refused.

    mergekit: does the same by `tokenizer_source`; ids of what the union adds are in no order there, a mean is added up
    in the tensors' own type, and unused ids are not foreseen.
    """
    if index >= len(models) or target >= len(models):
        raise BadParameter(f"align_vocabulary: index {max(index, target)} of {len(models)} models")
    if not of:
        return dict(models[index])
    if len(of) != len(models):
        raise BadParameter(f"align_vocabulary: of: {len(of)} vocabularies given for {len(models)} models")
    rows = _rows_of(tokens)
    known = [_read(vocabularies, digest) for digest in of]
    made: StateDict = {}
    sizes: set[int] = set()
    for name, own in models[index].items():
        if not layout.by_token(name, own.dim()):
            made[name] = own
            continue
        everyone = [model[name] for model in models]
        having = [Known(one, tensor.shape[0]) for one, tensor in zip(known, everyone, strict=True)]
        wanted = target_of(having, target if target >= 0 else None, rows)
        count, size = size_of(wanted, multiple_of)
        sizes.add(size)
        shape = torch.Size((size, *own.shape[1:]))
        if own.is_meta:
            made[name] = own.new_empty(shape)
        else:
            made[name] = _rewritten(everyone, index, shape, count, fillings(having, index, wanted, rows, based=based))
    if len(sizes) > 1:
        raise ShapesDiffer("align_vocabulary: embedding and head have different numbers of rows")
    return made


def _rows_of(tokens: Mapping[str, Mapping[str, Any]]) -> dict[str, TokenRow]:
    found = {}
    for token, given in tokens.items():
        try:
            found[token] = TokenRow.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadParameter(f"align_vocabulary: tokens: {token!r}: {first['msg']}") from error
    return found


def _read(vocabularies: Vocabularies, digest: str) -> Mapping[str, int]:
    try:
        return vocabularies(digest)
    except LookupError as error:
        raise BadParameter(f"align_vocabulary: {error.args[0]}") from error


def _rewritten(models: Sequence[Tensor], index: int, shape: torch.Size, tokens: int, plan: Sequence[Filling]) -> Tensor:
    """models: the tensor of each, (rows, …). shape: of the result, whose first `tokens` rows the plan fills."""
    dtype = models[index].dtype
    flat = [model.reshape(model.shape[0], -1) for model in models]
    out = buffer_pool.empty(shape, dtype)
    rows = out.view(shape[0], -1)
    step = max(1, _TAKEN // max(1, rows.shape[1] * 8))
    for filling in plan:
        for start in range(0, len(filling.rows), step):
            taken = [
                flat[model].index_select(0, torch.from_numpy(own[start : start + step].copy()))
                for model, own in filling.sources
            ]
            into = torch.from_numpy(filling.rows[start : start + step].copy())
            match taken:
                case []:
                    rows.index_fill_(0, into, 0)
                case [one]:
                    rows.index_copy_(0, into, converted(one, dtype))
                case _:
                    rows.index_copy_(0, into, combined(taken, [1 / len(taken)] * len(taken), dtype))
    if tokens < shape[0]:
        rows[tokens:] = converted(_mean(rows[:tokens], step), dtype)
    return out


def _mean(rows: Tensor, step: int) -> Tensor:
    """(columns,) float64: of all rows, summed from the first to the last."""
    total = torch.zeros(rows.shape[1], dtype=torch.float64)
    for start in range(0, len(rows), step):
        _add(total.numpy(), rows[start : start + step].double().numpy())
    return total / max(1, len(rows))


@kernel
def _add(total: Floats, rows: Array) -> None:
    for row in range(len(rows)):
        for column in range(len(total)):
            total[column] += rows[row, column]
