"""Killed or refused at the n-th write, fsync, rename, begin or commit: the run ends as if nothing had been."""

from __future__ import annotations

import errno
import json
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from faults.conftest import ONLY, POINTS, SEED, SMALLEST
from forge_server import Server
from run_reads import candidates_of, events_of, run_of, store_of

from agent_forge.store import result_rows

NEVER = 10**9
FAULT_SECONDS = 1.5
"""How long a disk stays full."""
NAMED = ("disk_full", "database_busy", "disk_error")
NOT_PASSING = ("disk_error",)
"""A disk that cannot be read or written is no matter of waiting: the run fails by that name, and a retry goes on."""
SECONDS = 400.0
"""A limit on hanging."""


class Place:
    """A backend whose processes ask a folder for faults."""

    def __init__(self, root: Path) -> None:
        self.points = root / "points"
        self.points.mkdir()
        injection = json.dumps({"points": str(self.points)})
        injected = str(Path(__file__).parent / "injected")
        self.server = Server(root / "data")
        self.server.stop()
        self.server.settings |= {"AGENT_TEST_INJECTION": injection, "PYTHONPATH": injected}
        self.server.start()

    def fresh(self) -> None:
        """Processes that no case before has touched."""
        if self.server.process.poll() is None:
            self.server.stop()
        self.server.start()

    def arm(self, case: int, role: str, at: int, *, kill: bool = False, error: int = errno.ENOSPC) -> None:
        fault = {"case": case, "role": role, "at": at, "kill": kill, "errno": error, "seconds": FAULT_SECONDS}
        new = self.points / "armed.new"
        new.write_text(json.dumps(fault))
        (self.points / "fired.json").unlink(missing_ok=True)
        new.rename(self.points / "armed.json")

    def disarm(self) -> bool:
        """Whether the fault came."""
        (self.points / "armed.json").unlink(missing_ok=True)
        return (self.points / "fired.json").exists()

    def operations(self, case: int) -> list[str]:
        lines = (self.points / "operations").read_text().splitlines()
        return [line.split()[2] for line in lines if line.split()[0] == str(case)]

    def insist(self, ask: Any, wanted: set[int]) -> httpx.Response:
        """Ask as a client would, again after a fault that is named, and when the server is back."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                answer: httpx.Response = ask(self.server.client)
            except httpx.TransportError:
                # Killed: its parent starts it again.
                if self.server.process.poll() is None:
                    time.sleep(0.1)
                    continue
                self.server.kill()
                self.server.start()
                continue
            if answer.status_code in wanted:
                return answer
            assert answer.status_code in (500, 503, 507), answer.text
            assert answer.json()["code"] in NAMED, answer.text
            time.sleep(0.2)
        raise AssertionError("never answered")

    def get(self, path: str) -> Any:
        return self.insist(lambda client: client.get(path), {200}).json()

    def live(self) -> dict[str, Any]:
        """A pipeline and an upload, from the request to what is left of them."""
        key = {"Idempotency-Key": secrets.token_hex(16)}
        made = self.insist(lambda client: client.post("/v1/pipelines", json=SMALLEST, headers=key), {202}).json()
        name = f"upload-{secrets.token_hex(4)}"
        imported = self.insist(
            lambda client: client.post(f"/v1/models/import?name={name}", content=one_tensor()), {201, 409}
        )
        runs = [made["cognate"]["id"], made["evomerge"]["id"]]
        deadline = time.monotonic() + SECONDS
        while True:
            states = [run_of(self.get, run) for run in runs]
            if all(run["status"] == "succeeded" for run in states):
                break
            for run in states:
                if run["status"] == "failed":
                    assert run["failure"]["code"] in NOT_PASSING, run["failure"]
                    self.insist(lambda client, failed=run: client.post(f"/v1/runs/{failed['id']}/retry"), {202, 409})
            assert time.monotonic() < deadline, [(run["status"], run["progress"]) for run in states]
            time.sleep(0.1)
        upload = self.get(f"/v1/models?search={name}")["items"]
        assert len(upload) == 1, imported.text
        verified = self.insist(lambda client: client.post(f"/v1/models/{upload[0]['id']}/verify"), {200}).json()
        assert verified["ok"], verified
        return {"models": [upload[0]["digest"]]} | left_of(self, states)


def left_of(place: Place, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Digests, scores, series and the log's order: what must be the same whatever befell."""
    cognate, bred = runs
    models = [place.get(f"/v1/models/{model}")["digest"] for run in runs for model in run["model_ids"]]
    with store_of(place.server.data) as connection:
        candidates = [one.model_dump(mode="json") for one in result_rows.candidates_of(connection, bred["id"])]
        evaluations = [one.model_dump(mode="json") for one in result_rows.evaluations_of(connection, cognate["id"])]
    assert candidates == candidates_of(place.get, bred["id"])
    events = events_of(place.get)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    work = []
    for run in runs:
        own = [event for event in events if event["run_id"] == run["id"]]
        assert [event["run_seq"] for event in own] == list(range(1, len(own) + 1))
        work.append(
            [
                (
                    event["type"],
                    event["payload"].get("stage"),
                    event["payload"].get("step"),
                    event["payload"].get("slot"),
                )
                for event in own
                if event["type"]
                in ("model.registered", "training.evaluated", "candidate.evaluated", "generation.completed")
            ]
        )
    return {
        "digests": models,
        "candidates": [(one["digest"], one["fitness"], one["op"]) for one in candidates],
        "losses": [
            (point["stage"], point["step"], point["loss"]) for point in place.get(f"/v1/runs/{cognate['id']}/series")
        ],
        "tasks": [(one["stage"], one["step"], one["train_loss"], one["tasks"]) for one in evaluations],
        "work": work,
    }


def one_tensor() -> bytes:
    header = json.dumps({"weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + bytes(range(16))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("points"))
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def undisturbed(place: Place) -> dict[str, Any]:
    return place.live()


@pytest.fixture(scope="module")
def operations(place: Place, undisturbed: dict[str, Any]) -> dict[str, list[str]]:
    """What each process does for one pipeline, in order, its start included."""
    found = {}
    for case, role in ((-1, "worker"), (-2, "serve")):
        place.arm(case, role, NEVER)
        place.fresh()
        place.live()
        place.disarm()
        found[role] = place.operations(case)
        sys.stderr.write(f"{role}: {len(found[role])} operations {dict(Counter(found[role]))}\n")
    return found


@pytest.fixture(scope="module")
def table() -> Iterator[Counter[tuple[str, str, str]]]:
    outcomes: Counter[tuple[str, str, str]] = Counter()
    yield outcomes
    sys.stderr.write("\ninjection points: process, operation, fault: cases that ended as undisturbed\n")
    for (role, operation, fault), count in sorted(outcomes.items()):
        sys.stderr.write(f"  {role:8}{operation:8}{fault:14}{count}\n")


FILES = ("write", "fsync", "rename")
POINTS_AND_FAULTS = [
    (role, operation, fault)
    for role in ("worker", "serve")
    for operation, faults in (
        *((name, ("kill", "ENOSPC", "EIO")) for name in FILES),
        ("begin", ("kill", "SQLITE_BUSY")),
        ("commit", ("kill", "SQLITE_FULL", "SQLITE_IOERR")),
    )
    for fault in faults
]
# Where a busy database was asked for and something else is met first, the disk is full.
ERRORS = {
    "SQLITE_BUSY": errno.ENOSPC,
    "ENOSPC": errno.ENOSPC,
    "EIO": errno.EIO,
    "SQLITE_FULL": errno.ENOSPC,
    "SQLITE_IOERR": errno.EIO,
}
CASES = range(POINTS) if ONLY is None else [ONLY]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", CASES)
def test_a_fault_at_the_nth_operation_changes_nothing(
    case: int,
    place: Place,
    undisturbed: dict[str, Any],
    operations: dict[str, list[str]],
    table: Counter[tuple[str, str, str]],
) -> None:
    chosen = random.Random(SEED).sample(POINTS_AND_FAULTS, len(POINTS_AND_FAULTS))
    role, operation, fault = chosen[case % len(chosen)]
    places = [at for at, name in enumerate(operations[role], start=1) if name == operation]
    at = random.Random(f"{SEED} {case}").choice(places)
    command = f"npm run test:faults -- points --seed {SEED} --case {case}"
    again = f"{fault} at operation {at} of {role}, a {operation}; run it again: {command}"
    place.arm(case, role, at, kill=fault == "kill", error=ERRORS.get(fault, 0))
    try:
        place.fresh()
    except (AssertionError, json.JSONDecodeError):
        # It did not live to say that it is ready: its parent starts it again.
        place.server.kill()
        place.server.start()
    try:
        found = place.live()
        assert place.disarm(), "the point was never reached"
        assert found == undisturbed
    except AssertionError as error:
        error.add_note(again)
        raise
    # Another thread may have come in between: what was really met counts.
    table[role, *met(place.operations(case)[at - 1], fault)] += 1


def met(operation: str, fault: str) -> tuple[str, str]:
    if fault == "kill":
        return operation, fault
    if operation == "begin":
        return operation, "SQLITE_BUSY"
    names = ("SQLITE_IOERR", "SQLITE_FULL") if operation == "commit" else ("EIO", "ENOSPC")
    return operation, names[fault in ("ENOSPC", "SQLITE_FULL", "SQLITE_BUSY")]
