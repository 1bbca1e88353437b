"""What a run has found, from what it recorded. Torch-free: the API process asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...contract.evomerge import Candidate, Fitness, Generation
from ...contract.fault import Fault
from ...contract.report import Baseline, EvoMergeReport, StoppedBy, Timings
from .pareto import Scored, pareto_front
from .verdict import verdict


def report_of(
    run_id: str,
    reported: Mapping[str, Any],
    *,
    candidates: Sequence[Scored],
    generations: Sequence[Generation],
    champion: Candidate | None,
    champion_model_id: str | None,
    cancelled: bool,
    timings: Timings,
) -> EvoMergeReport:
    """reported: what the phase gave to `Job.report`."""
    heldout, fault = reported.get("champion_heldout"), reported.get("champion_heldout_fault")
    measured = Fitness.model_validate(heldout) if heldout is not None else None
    unmeasured = Fault.model_validate(fault) if fault is not None else None
    other = reported.get("unpolished_heldout")
    unpolished = Fitness.model_validate(other) if other is not None else None
    baselines = [Baseline.model_validate(one) for one in reported.get("baselines", [])]
    stopped_by: StoppedBy | None = "cancelled" if cancelled else reported.get("stopped_by")
    return EvoMergeReport(
        run_id=run_id,
        champion=champion,
        champion_model_id=champion_model_id,
        champion_heldout=measured,
        champion_heldout_fault=unmeasured,
        verdict=verdict(champion, champion_model_id, measured, unmeasured, baselines, stopped_by, unpolished),
        baselines=baselines,
        basis=reported.get("basis"),
        finalists=reported.get("finalists", []),
        unpolished_id=reported.get("unpolished_id"),
        unpolished_heldout=unpolished,
        aligned_to=reported.get("aligned_to"),
        barriers=reported.get("barriers", []),
        generations=list(generations),
        pareto_front=pareto_front(candidates),
        stopped_by=stopped_by,
        candidates=len(candidates),
        timings=timings,
    )
