"""The proof: green for what is real, red with a reason for everything else, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from agent_forge.contract.evomerge import Candidate, Fitness, Role
from agent_forge.contract.model import Model, Verification
from agent_forge.contract.recipe import ImportOrigin, Leaf, MergeNode, MergeOrigin, Recipe, TrainingOrigin
from agent_forge.evomerge.errors import UnsupportedDtype
from agent_forge.evomerge.recipe.materialise import materialise as recipe_tensors
from agent_forge.registry.errors import UnreadableTypeError
from agent_forge.registry.header import TensorSpec, lay_out
from agent_forge.registry.leaves import leaves
from agent_forge.registry.rebuild import RecipeRebuilder
from agent_forge.registry.store import store
from agent_forge.registry.tensors import TORCH_DTYPES, digest_tensors
from agent_forge.registry.verify import verify_candidate, verify_model

from .conftest import TIME, Shelf, average, draft, drawn, materialise


def verified(shelf: Shelf, model: Model, **changes: Any) -> Verification:
    return verify_model(model, shelf.files, rebuilder(shelf, **changes), clock=lambda: TIME)


def rebuilder(shelf: Shelf, **changes: Any) -> RecipeRebuilder:
    arguments: dict[str, Any] = {"files": shelf.files, "lookup": shelf.rows.get, "materialise": materialise}
    return RecipeRebuilder(**(arguments | changes))


def statuses(verification: Verification) -> list[str]:
    return [check.status for check in verification.checks]


def test_a_real_model(shelf: Shelf) -> None:
    model = shelf.merged("m", shelf.parent(1), shelf.parent(2))
    proof = verified(shelf, model)
    assert proof.ok
    assert statuses(proof) == ["passed"] * 3
    assert [(check.expected, check.found) for check in proof.checks] == [
        (model.digest, model.digest),
        (str(model.parameters), str(model.parameters)),
        (model.digest, model.digest),
    ]
    assert "2 models" in proof.checks[2].detail
    assert (proof.subject, proof.subject_id, proof.time) == ("model", model.id, TIME)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_turns_it_red(shelf: Shelf, data: st.DataObject) -> None:
    model = shelf.rows.get("m") or shelf.parent(1)
    shelf.rows["m"] = model
    path = shelf.files.tensors(model)
    original = path.read_bytes()
    # half of the cases in the header, which is a small part of the file
    last = data.draw(st.sampled_from([2500, len(original) - 1]))
    at, bit = data.draw(st.integers(0, last)), data.draw(st.integers(0, 7))
    changed = bytearray(original)
    changed[at] ^= 1 << bit
    path.write_bytes(changed)
    try:
        proof = verify_model(model, shelf.files, None)
        assert not proof.ok
        assert proof.checks[0].status == "failed"
        assert proof.checks[0].detail
    finally:
        path.write_bytes(original)
    assert verify_model(model, shelf.files, None).ok


def unlink(path: Path) -> None:
    path.unlink()


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    moved = path.rename(path.with_suffix(".moved"))
    path.symlink_to(moved)


@pytest.mark.parametrize("damage", [unlink, halve, empty, lengthen, directory, link])
def test_damage_is_reported(shelf: Shelf, damage: Callable[[Path], None]) -> None:
    model = shelf.merged("m", shelf.parent(1), shelf.parent(2))
    damage(shelf.files.tensors(model))
    proof = verified(shelf, model)
    assert not proof.ok
    # the recipe still makes the model: it can be had again
    assert statuses(proof) == ["failed", "failed", "passed"]
    assert proof.checks[0].found is None
    assert "can't be read" in proof.checks[0].detail


def test_pt_files_are_proved_too(shelf: Shelf) -> None:
    model = shelf.add(draft("m", formats=["safetensors", "pt"]), drawn(1))
    assert verified(shelf, model).ok
    path = shelf.files.root / model.files[1].path
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert verified(shelf, model).checks[0].detail == "SHA-256 of the whole pt file"
    path.unlink()
    assert "pt file can't be read" in verified(shelf, model).checks[0].detail


def test_rows_that_lie(shelf: Shelf) -> None:
    model = shelf.merged("m", shelf.parent(1), shelf.parent(2))
    assert not verified(shelf, model.model_copy(update={"parameters": 7})).ok
    assert statuses(verified(shelf, model.model_copy(update={"digest": "0" * 64}))) == ["failed", "passed", "failed"]
    assert model.architecture is not None
    wider = model.architecture.model_copy(update={"d_ff": 32})
    proof = verified(shelf, model.model_copy(update={"architecture": wider}))
    assert proof.checks[1].status == "failed"
    assert "linear1" in proof.checks[1].detail


def test_what_can_not_be_rebuilt_is_skipped_in_plain_words(shelf: Shelf) -> None:
    trained = verified(shelf, shelf.parent(1))
    imported = verified(shelf, shelf.add(draft("i", ImportOrigin(filename="x")), drawn(3)))
    unasked = verify_model(shelf.merged("m", shelf.parent(1)), shelf.files, None)
    for proof, words in ((trained, "a trained model (3 steps"), (imported, "imported"), (unasked, "not asked for")):
        assert proof.ok
        assert statuses(proof) == ["passed", "passed", "skipped"]
        assert words in proof.checks[2].detail


def test_training_is_replayed_where_asked(shelf: Shelf) -> None:
    model = shelf.parent(5)

    def replay(origin: TrainingOrigin) -> Any:
        return drawn(origin.seed)

    assert statuses(verified(shelf, model, replay=replay)) == ["passed"] * 3
    wrong = verified(shelf, model, replay=lambda origin: drawn(6))
    assert statuses(wrong) == ["passed", "passed", "failed"]
    assert wrong.checks[2].found == digest_tensors(drawn(6))


def test_a_bad_leaf_fails_the_rebuild(shelf: Shelf) -> None:
    one, two = shelf.parent(1), shelf.parent(2)
    model = shelf.merged("m", one, two)
    path = shelf.files.tensors(one)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    changed = verified(shelf, model)
    assert statuses(changed) == ["passed", "passed", "failed"]
    assert "parent-1" in changed.checks[2].detail
    path.unlink()
    assert "parent-1" in verified(shelf, model).checks[2].detail
    del shelf.rows[one.id]
    assert "not registered any more" in verified(shelf, model).checks[2].detail


@pytest.mark.parametrize(("dtype", "bits"), [("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F4", 4), ("F6_E2M3", 6)])
def test_types_that_no_op_reads_are_refused_by_name(shelf: Shelf, dtype: str, bits: int) -> None:
    header, head = lay_out({"w": TensorSpec(dtype, (4, 8))})
    source = shelf.files.scratch / "x"
    source.write_bytes(head + b"\x11" * (4 * bits))
    unknown = draft("kept", architecture=None)
    model = store(unknown, source, files=shelf.files, run_id=None, versions={}, time=TIME)
    assert model.bytes == header.file_bytes
    shelf.rows[model.id] = model
    verification = verify_model(model, shelf.files, None)
    assert verification.ok
    recipe = MergeNode(op="linear", inputs=[Leaf(model_id=model.id, digest=model.digest)])

    def merged(recipe: Recipe, leaves: Mapping[str, Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
        return recipe_tensors(recipe, lambda wanted: leaves[wanted.model_id])

    name = str(TORCH_DTYPES[dtype]) if bits == 8 else dtype
    with pytest.raises((UnsupportedDtype, UnreadableTypeError), match=f"^linear: .*`w` is {name}") as error:
        RecipeRebuilder(shelf.files, shelf.rows.get, merged).tensors(recipe)
    assert getattr(error.value, "code", None) == "unsupported_dtype"


def test_down_to_the_roots(shelf: Shelf) -> None:
    middle = shelf.merged("middle", shelf.parent(1), shelf.parent(2))
    top = shelf.merged("top", middle, shelf.parent(3))
    shelf.files.tensors(middle).unlink()
    assert statuses(verified(shelf, top)) == ["passed"] * 3
    shelf.files.tensors(shelf.parent(1)).write_bytes(b"")
    assert statuses(verified(shelf, top)) == ["passed", "passed", "failed"]


def test_a_circle_ends(shelf: Shelf) -> None:
    model = shelf.parent(1)
    origin = MergeOrigin(run_id="r", candidate_id="c", recipe=average(model))
    shelf.rows[model.id] = looped = model.model_copy(update={"origin": origin})
    shelf.files.tensors(model).unlink()
    assert statuses(verified(shelf, looped)) == ["failed"] * 3


def test_an_op_that_raises_is_a_reason(shelf: Shelf) -> None:
    def broken(recipe: Any, tensors: Any) -> Any:
        raise ValueError("no such op: frobnicate")

    proof = verified(shelf, shelf.merged("m", shelf.parent(1)), materialise=broken)
    assert "ValueError: no such op: frobnicate" in proof.checks[2].detail


def candidate(shelf: Shelf, digest: str | None = None) -> Candidate:
    parents = [shelf.parent(1), shelf.parent(2)]
    recipe = average(*parents)
    made = rebuilder(shelf).tensors(recipe)
    fitness = Fitness(
        total=0, likelihood=0, accuracy=0, compute=0, memory=0, mean_depth=0, tasks={}
    )  # fmt: skip
    return Candidate(
        id="run_a.g0.s0", run_id="run_a", generation=0, slot=0, role=Role.seed, op="average",
        parents=[parent.id for parent in parents], recipe=recipe, digest=digest or digest_tensors(made),
        parameters=parents[0].parameters, bytes=parents[0].bytes, fitness=fitness,
        merge_seconds=0, evaluate_seconds=0, cached=False,
    )  # fmt: skip


def test_candidates(shelf: Shelf) -> None:
    good = verify_candidate(candidate(shelf), rebuilder(shelf), clock=lambda: TIME)
    assert good.ok
    assert statuses(good) == ["skipped", "passed", "passed"]
    bad = verify_candidate(candidate(shelf, "0" * 64), rebuilder(shelf))
    assert statuses(bad) == ["skipped", "passed", "failed"]
    shelf.rows.clear()
    shelf_less = verify_candidate(candidate(shelf), rebuilder(shelf, lookup=lambda model_id: None))
    assert statuses(shelf_less) == ["skipped", "failed", "failed"]


def test_leaves_in_order(shelf: Shelf) -> None:
    one, two, base = shelf.parent(1), shelf.parent(2), shelf.parent(3)
    inner = average(one, two)
    recipe = inner.model_copy(update={"inputs": [inner, *average(one).inputs], "base": average(base).inputs[0]})
    assert [leaf.model_id for leaf in leaves(recipe)] == [one.id, two.id, one.id, base.id]
