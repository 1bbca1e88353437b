from __future__ import annotations

from collections.abc import Callable

from rows import MakeRun

from agent_forge.contract.evomerge import Candidate
from agent_forge.contract.fault import Fault
from agent_forge.store import result_rows, run_rows
from agent_forge.store.database import Database

MakeCandidate = Callable[[str, int, int, float], Candidate]


def test_scores_are_those_of_the_candidates(
    database: Database, make_run: MakeRun, make_candidate: MakeCandidate
) -> None:
    fault = Fault(kind="output_not_finite", message='half a pair is escaped: "\\ud800", \u0000, \U0001f701')
    recorded = [
        make_candidate("r", 1, 0, 0.1 + 0.2),
        make_candidate("r", 0, 1, 5e-324),
        make_candidate("r", 0, 0, 1.7976931348623157e308),
        make_candidate("r", 2, 0, 0.0).model_copy(update={"fault": fault, "bytes": 2**53 - 1}),
        make_candidate("other", 0, 0, 0.5),
    ]
    with database.write() as tx:
        for run_id in ("r", "other"):
            run_rows.create(tx, make_run(run_id))
        for candidate in recorded:
            result_rows.add_candidate(tx, candidate)
    with database.read() as connection:
        whole = result_rows.candidates_of(connection, "r")
        scores = result_rows.scores_of(connection, "r")
    assert scores == [(one.id, one.bytes, one.fitness, one.fault) for one in whole]
    assert len(scores) == 4
