from __future__ import annotations

from .fisher import Calibration
from .registry import Grams, Models, StateDict, merge_op
from .regression import Datasets, Shrinkage, check_datasets, means_of, regressed


@merge_op(source="Jin et al. 2023, Dataless knowledge fusion by merging weights of language models, arXiv:2212.09849")
def regmean(
    models: Models,
    grams: Grams,
    *,
    shrinkage: Shrinkage = 0.9,
    datasets: Datasets = [],  # noqa: B006 - a default of the schema, never changed
    calibration: Calibration = {},  # noqa: B006
) -> StateDict:
    """Regression mean: each matrix becomes the one whose products are nearest to those of the inputs' matrices with
    what these read, (Σ WᵢGᵢ)(ΣGᵢ)⁻¹ with Gᵢ = XᵢᵀXᵢ; all else the plain mean.

    Off the diagonal Gᵢ is multiplied by `shrinkage`. Each input reads the calibration's problems, or those of its own
    `datasets`: for specialists, give those that each was trained for, which matters most. The more problems, the nearer
    to 1 `shrinkage` may be. Embedding, norms, biases and the halting head are
    not such matrices. Measures the inputs, so its bytes are those of the machine type and torch version that measured.

    Edges: to ΣGᵢ's diagonal a millionth of its mean is added, which pulls towards the mean what no input reads. A
    matrix that none reads is the plain mean.
    """
    check_datasets(datasets, models)
    merged = means_of(models)
    read = [grams(index, model) for index, model in enumerate(models)]
    for name in read[0]:
        merged[name] = regressed(name, [model[name] for model in models], [gram[name] for gram in read], shrinkage)
    return merged
