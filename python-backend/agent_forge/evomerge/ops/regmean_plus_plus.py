from __future__ import annotations

from ...registry.families.family import Role
from ...registry.families.layout import Layout
from .fisher import Calibration
from .registry import Grams, Models, StateDict, merge_op
from .regression import Datasets, Shrinkage, check_datasets, means_of, regressed


@merge_op(source="Nguyen et al. 2025, RegMean++, arXiv:2508.03121")
def regmean_plus_plus(
    models: Models,
    grams: Grams,
    layout: Layout,
    *,
    shrinkage: Shrinkage = 0.9,
    datasets: Datasets = [],  # noqa: B006 - a default of the schema, never changed
    calibration: Calibration = {},  # noqa: B006
) -> StateDict:
    """As `regmean`, but block by block: what an input's block reads are the states that the merged blocks below it
    make of its problems.

    Within a block the input's own matrices make what its next ones read. What stands in no block is merged first, as
    `regmean` does, the output layer last. Runs every input once more than there are blocks, and once for the output
    layer. Give specialists `datasets` of their own: where all read the same, the first matrices of a block are nearly
    the plain mean. Measures the inputs, so its bytes are those of the machine type and torch version that measured.

    Edges: as those of `regmean`.
    """
    check_datasets(datasets, models)
    merged = means_of(models)
    stages: list[int | str] = ["heads", *range(layout.depth), "output"]
    for stage in stages:
        here = [name for name in merged if _stage_of(name, layout) == stage]
        # the first reads what the inputs make of everything, as they are
        hybrids = [
            dict(model) if stage == "heads" else merged | {name: model[name] for name in here} for model in models
        ]
        read = [grams(index, hybrid) for index, hybrid in enumerate(hybrids)]
        merged |= {
            name: regressed(name, [model[name] for model in models], [gram[name] for gram in read], shrinkage)
            for name in here
            if name in read[0]
        }
    return merged


def _stage_of(name: str, layout: Layout) -> int | str:
    place = layout.place(name)
    if place.layer is not None:
        return place.layer
    return "output" if place.role == Role.head else "heads"
