"""What a merge run reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..contract.merge import MergePlan
from ..contract.report import MergeReport, Timings
from ..contract.run import Run
from ..store.catalog import Catalog


def merge_report(catalog: Catalog, run: Run, plan: MergePlan, part: Mapping[str, Any], timings: Timings) -> MergeReport:
    """part: what the run has recorded so far."""
    words, why_not = catalog.mergekit(plan.recipe)
    return MergeReport(
        run_id=run.id,
        model_id=part.get("model_id"),
        digest=part.get("digest"),
        recipe=plan.recipe,
        mergekit=words,
        not_expressible=why_not,
        parameters=part.get("parameters"),
        bytes=part.get("bytes"),
        files=part.get("files"),
        resumed_tensors=part.get("resumed_tensors", 0),
        timings=timings,
    )
