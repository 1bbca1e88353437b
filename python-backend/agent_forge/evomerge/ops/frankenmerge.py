from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ...contract.architecture import MAX_LAYERS
from ..errors import BadParameter
from ..stack import stack_of, stacked
from .registry import Models, StateDict, merge_op

Source = Annotated[int, Field(ge=0)]


@merge_op(
    source="passthrough of mergekit, github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md",
    copies=True,
)
def frankenmerge(
    models: Models,
    *,
    layer_sources: Annotated[
        list[Source], Field(description="which input each block comes from; empty: the first")
    ] = [],  # noqa: B006 - a default of the schema, never changed
    stack: Annotated[
        list[tuple[Source, Source]],
        Field(max_length=MAX_LAYERS, description="(input, block) pairs, bottom up: any depth; replaces layer_sources"),
    ] = [],  # noqa: B006
    embedding_source: Annotated[Source, Field(description="which input the embedding comes from")] = 0,
    output_source: Annotated[Source, Field(description="which input output layer and heads come from")] = 0,
) -> StateDict:
    """Whole blocks by source: each block is copied from one input; `stack` may repeat or leave out blocks,
    which changes the model's size.

    Edges: without `stack` and `layer_sources` all blocks are the first input's. `stack` makes a model of any depth
    from 1 to 128 that runs like any other. Fewer or more `layer_sources` than blocks are refused, as are sources and
    blocks that do not exist.

    mergekit: `passthrough` over slices, whose `scale` is the op of that name.
    """
    stacks = [stack_of(model) for model in models]
    depth = len(stacks[0].layers)
    if stack:
        blocks = stack
    elif layer_sources and len(layer_sources) != depth:
        raise BadParameter(f"layer_sources: {len(layer_sources)} given for {depth} blocks")
    else:
        blocks = [(source, layer) for layer, source in enumerate(layer_sources or [0] * depth)]
    for source in [embedding_source, output_source, *(source for source, _ in blocks)]:
        if source >= len(models):
            raise BadParameter(f"frankenmerge: source {source} is not one of the {len(models)} inputs")
    for source, layer in blocks:
        if layer >= len(stacks[source].layers):
            raise BadParameter(f"frankenmerge: there is no block {layer}; the inputs have {len(stacks[source].layers)}")
    result = stacked(stacks, blocks, embedding_source, output_source)
    before = {name: models[embedding_source][name] for name in result.before}
    after = {name: models[output_source][name] for name in result.after}
    middle = {
        result.layout.named(position, part): models[source][stacks[source].layout.named(layer, part)]
        for position, (source, layer) in enumerate(blocks)
        for part in stacks[source].layers[layer]
    }
    return before | middle | after
