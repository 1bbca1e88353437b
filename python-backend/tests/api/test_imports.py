"""Models that users bring: bred, proved, stacked and refused, over HTTP with real processes.

Nothing here was trained: merging and its proof need no skill.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import pytest
import torch
from forge_server import Server, is_status
from run_reads import candidates_of
from safetensors.torch import load, save
from torch import Tensor

from agent_forge.cognate.initialization import draw_all
from agent_forge.contract.architecture import ARCHITECTURES, Preset, parameter_count
from agent_forge.contract.evomerge import Candidate
from agent_forge.contract.recipe import Leaf, MergeNode, Recipe
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.registry.header import TensorSpec, lay_out
from agent_forge.registry.tensors import digest_tensors
from agent_forge.store import result_rows
from agent_forge.store.database import Database

NANO = ARCHITECTURES[Preset.nano]
slots = count(8)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("imports") / "data")
    yield started
    assert started.stop() == 0


def bring(server: Server, name: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """As another program writes it: the library's own layout, no word about the architecture."""
    answer = server.client.post(f"/v1/models/import?name={name}", content=save(tensors))
    assert answer.status_code == 201, answer.text
    model: dict[str, Any] = answer.json()
    return model


@pytest.fixture(scope="module")
def parents(server: Server) -> list[dict[str, Any]]:
    return [bring(server, f"own-{seed}", draw_all(NANO, seed)) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def bred(server: Server, parents: list[dict[str, Any]]) -> dict[str, Any]:
    ids = [parent["id"] for parent in parents]
    run = server.post(
        "/v1/evomerge/runs", {"parents": ids, "generations": 1, "eval_problems": 8, "heldout_problems": 8}
    )
    return server.wait(run["id"], is_status("succeeded"))


def leaf(model: dict[str, Any]) -> Leaf:
    return Leaf(model_id=model["id"], digest=model["digest"])


def proposed(server: Server, run: dict[str, Any], recipe: Recipe, tensors: dict[str, Tensor]) -> str:
    """A candidate of the run that no search has proposed. Its id."""
    known = candidates_of(server.get, run["id"])[0]
    slot = next(slots)
    candidate = Candidate.model_validate(
        known
        | {
            "id": f"{run['id']}.g0.s{slot}",
            "slot": slot,
            "recipe": recipe.model_dump(mode="json"),
            "digest": digest_tensors(tensors),
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
            "bytes": sum(tensor.nbytes for tensor in tensors.values()),
        }
    )
    database = Database(server.data / "forge.db")
    with database.write() as tx:
        assert result_rows.add_candidate(tx, candidate)
    database.close()
    return candidate.id


def files_of(server: Server, models: Sequence[dict[str, Any]]) -> dict[str, dict[str, Tensor]]:
    return {model["id"]: load(server.client.get(f"/v1/models/{model['id']}/download").content) for model in models}


def kept(server: Server, candidate: str) -> dict[str, Any]:
    model: dict[str, Any] = server.post(f"/v1/candidates/{candidate}/materialize", status=201)
    return model


def proof(server: Server, model: dict[str, Any]) -> dict[str, str]:
    verification = server.post(f"/v1/models/{model['id']}/verify", status=200)
    assert verification["ok"], verification
    return {check["name"]: check["status"] for check in verification["checks"]}


def test_imports_are_bred_and_the_champion_is_proved(server: Server, parents: Any, bred: dict[str, Any]) -> None:
    assert all(parent["architecture"] == NANO.model_dump(mode="json") for parent in parents)
    champion = server.get(f"/v1/models/{bred['champion_model_id']}")
    assert proof(server, champion) == {"file_digest": "passed", "parameter_count": "passed", "rebuild": "passed"}
    assert champion["parents"] == [parent["id"] for parent in parents]
    assert proof(server, parents[0])["rebuild"] == "skipped"
    baselines = {one["name"] for one in server.get(f"/v1/runs/{bred['id']}/report")["baselines"]}
    assert {f"parent:own-{seed}" for seed in (1, 2, 3)} <= baselines


def test_a_champion_s_file_comes_back_with_its_lineage(server: Server, bred: dict[str, Any]) -> None:
    champion = server.get(f"/v1/models/{bred['champion_model_id']}")
    content = server.client.get(f"/v1/models/{champion['id']}/download").content
    again = server.client.post("/v1/models/import?name=again", content=content).json()
    same = ("digest", "parents", "architecture")
    assert [again[key] for key in same] == [champion[key] for key in same]
    assert again["origin"]["recipe"] == champion["origin"]["recipe"]
    assert proof(server, again)["rebuild"] == "passed"


@pytest.mark.parametrize("depth", [1, 32])
def test_a_stack_of_any_depth_is_a_model(server: Server, parents: Any, bred: dict[str, Any], depth: int) -> None:
    stack = [(block % 3, block % NANO.n_layers) for block in range(depth)]
    recipe = MergeNode(op="frankenmerge", inputs=[leaf(one) for one in parents], parameters={"stack": stack})
    files = files_of(server, parents)
    tensors = materialise(recipe, lambda wanted: files[wanted.model_id])
    model = kept(server, proposed(server, bred, recipe, tensors))
    expected = NANO.model_copy(update={"n_layers": depth})
    assert model["architecture"] == expected.model_dump(mode="json")
    assert model["parameters"] == parameter_count(expected)
    detail = server.get(f"/v1/models/{model['id']}")
    assert sum(row["parameters"] for row in detail["modules"]) == model["parameters"]
    assert proof(server, model) == {"file_digest": "passed", "parameter_count": "passed", "rebuild": "passed"}
    whole = server.client.get(f"/v1/models/{model['id']}/download").content
    assert len(whole) == model["bytes"]
    assert digest_tensors(load(whole)) == model["digest"]
    answer = server.post(f"/v1/models/{model['id']}/predict", {"prompt": "1+2=", "max_tokens": 3}, status=200)
    assert all(1 <= token["depth"] <= depth for token in answer["tokens"])
    assert server.client.get(f"/v1/models/{model['id']}/download?format=pt").content[:2] == b"PK"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_foreign_models_merge_by_recipe_but_cannot_be_run(
    server: Server, bred: dict[str, Any], dtype: torch.dtype
) -> None:
    kind = str(dtype).removeprefix("torch.")
    drawn = [
        {"layer.weight": torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)).to(dtype)} for seed in (1, 2)
    ]
    models = [bring(server, f"foreign-{kind}-{number}", tensors) for number, tensors in enumerate(drawn)]
    assert [model["architecture"] for model in models] == [None, None]
    recipe = MergeNode(op="slerp", inputs=[leaf(model) for model in models])
    files = dict(zip((model["id"] for model in models), drawn, strict=True))
    tensors = materialise(recipe, lambda wanted: files[wanted.model_id])
    assert tensors["layer.weight"].dtype == dtype
    model = kept(server, proposed(server, bred, recipe, tensors))
    assert model["architecture"] is None
    assert proof(server, model)["rebuild"] == "passed"
    assert load(server.client.get(f"/v1/models/{model['id']}/download").content)["layer.weight"].dtype == dtype
    refused = server.post(f"/v1/models/{model['id']}/predict", {"prompt": "x"}, status=409)
    assert refused["code"] == "not_runnable"
    refused = server.post("/v1/evomerge/runs", {"parents": [one["id"] for one in models]}, status=422)
    assert refused["errors"][0]["field"] == "parents.0"
    assert "unknown architecture" in refused["detail"]


@pytest.mark.parametrize(("dtype", "bits"), [("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F4", 4), ("F6_E2M3", 6)])
def test_types_that_nothing_computes_with_are_kept(server: Server, dtype: str, bits: int) -> None:
    header, head = lay_out({"w": TensorSpec(dtype, (4, 8))})
    content = head + b"\x11" * (4 * bits)
    answer = server.client.post(f"/v1/models/import?name=kept-{dtype}", content=content)
    assert answer.status_code == 201, answer.text
    model = answer.json()
    assert (model["parameters"], model["bytes"]) == (32, header.file_bytes)
    assert proof(server, model)["file_digest"] == "passed"
    assert server.client.get(f"/v1/models/{model['id']}/download").content == content
    assert server.get(f"/v1/models/{model['id']}")["modules"][0]["parameters"] == 32
    refused = server.post(f"/v1/models/{model['id']}/predict", {"prompt": "x"}, status=409)
    assert refused["code"] == "not_runnable"


def test_another_kind_of_file_is_told_what_it_is(server: Server) -> None:
    answer = server.client.post("/v1/models/import?name=page", content=b"<!DOCTYPE html><html>log in</html>")
    assert answer.status_code == 422
    assert answer.json()["code"] == "malformed_file"
    assert "web page" in answer.json()["detail"]
    assert "download the file itself" in answer.json()["hint"]


def test_models_of_another_shape_or_type_are_no_parents(server: Server, parents: Any) -> None:
    shallow = bring(server, "shallow", draw_all(NANO.model_copy(update={"n_layers": 2}), 4))
    halved = bring(server, "halved", {name: tensor.half() for name, tensor in draw_all(NANO, 5).items()})
    for other, said in ((shallow, "differs in shape"), (halved, "unknown architecture")):
        refused = server.post("/v1/evomerge/runs", {"parents": [parents[0]["id"], other["id"]]}, status=422)
        assert (refused["code"], refused["errors"][0]["field"]) == ("invalid_request", "parents.1")
        assert said in refused["detail"]


@pytest.mark.parametrize(("name", "value"), [("n_heads", 8), ("window", 64), ("preset", Preset.wide)])
def test_models_that_read_the_same_shapes_otherwise_are_no_parents(
    server: Server, parents: Any, name: str, value: int | str
) -> None:
    claim = NANO.model_copy(update={name: value}).model_dump_json()
    content = save(draw_all(NANO, 8), {"architecture": claim})
    other = server.client.post(f"/v1/models/import?name=other-{name}", content=content).json()
    assert other["architecture"][name] == value
    refused = server.post("/v1/evomerge/runs", {"parents": [parents[0]["id"], other["id"]]}, status=422)
    assert (refused["code"], refused["errors"][0]["field"]) == ("invalid_request", "parents.1")
    mine = NANO.model_dump(mode="json")[name]
    assert f"has {name} {value}, {parents[0]['id']} has {mine}" in refused["detail"]


def test_a_recipe_that_cannot_be_made_says_why(server: Server, parents: Any, bred: dict[str, Any]) -> None:
    files = files_of(server, parents[:1])
    other = bring(server, "other", {"layer.weight": torch.ones(2)})
    for op, inputs, code in (
        ("linear", [parents[0], other], "shapes_differ"),
        ("nuslerp", parents[:1], "wrong_inputs"),
        ("average", parents[:1], "unknown_op"),
    ):
        recipe = MergeNode(op=op, inputs=[leaf(one) for one in inputs])
        candidate = proposed(server, bred, recipe, files[parents[0]["id"]])
        refused = server.post(f"/v1/candidates/{candidate}/materialize", status=409)
        assert refused["code"] == code
        assert server.post(f"/v1/candidates/{candidate}/verify", status=200)["ok"] is False


def test_an_architecture_that_its_heads_do_not_fit_is_not_believed(server: Server) -> None:
    """The header may claim what it likes; shapes say nothing about heads."""
    tensors = draw_all(NANO, 6)
    for name, changes in (("odd-heads", {"n_heads": 3}), ("many-heads", {"n_heads": 128})):
        claim = NANO.model_copy(update=changes).model_dump_json()
        answer = server.client.post(f"/v1/models/import?name={name}", content=save(tensors, {"architecture": claim}))
        assert answer.json()["architecture"] == NANO.model_dump(mode="json")
        server.post(f"/v1/models/{answer.json()['id']}/predict", {"prompt": "x", "max_tokens": 1}, status=200)


def test_an_upload_that_ends_early_leaves_nothing(server: Server) -> None:
    whole = save(draw_all(NANO, 7))
    before = server.get("/v1/models?limit=100")["items"]
    for content in (whole[:-1], whole[: 8 + struct.unpack("<Q", whole[:8])[0]], whole + b"\0"):
        answer = server.client.post("/v1/models/import?name=cut", content=content)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed_file")
    assert server.get("/v1/models?limit=100")["items"] == before
    assert list((server.data / "models").rglob("*cut*")) == []


def far_out(scale: float) -> dict[str, Tensor]:
    most = torch.finfo(torch.float32).max
    return {
        name: (tensor.double() * scale).clamp(-most, most).float() for name, tensor in draw_all(NANO, seed=4).items()
    }


@pytest.mark.parametrize("exponent", [-38, -19, 6, 12, 19, 25, 38])
def test_any_finite_model_answers(server: Server, exponent: int) -> None:
    model = bring(server, f"scaled-{exponent}", far_out(10.0**exponent))
    answer = server.post(f"/v1/models/{model['id']}/predict", {"prompt": "1+2=", "max_tokens": 3}, status=200)
    assert all(0 <= token["probability"] <= 1 for token in answer["tokens"])
    assert answer["fault"] is None or "not finite" in answer["fault"]
    assert exponent < 38 or answer["fault"] is not None


def test_a_parent_that_cannot_be_measured_fails_the_run_by_name(server: Server, parents: Any) -> None:
    broken = bring(server, "broken", far_out(1e38))
    run = server.post(
        "/v1/evomerge/runs",
        {"parents": [parents[0]["id"], broken["id"]], "generations": 1, "eval_problems": 8, "heldout_problems": 8},
    )
    failure = server.wait(run["id"], is_status("failed"))["failure"]
    assert failure["code"] == "parent_not_measurable"
    assert broken["id"] in failure["message"]
    assert "(broken)" in failure["message"]
    assert failure["hint"].startswith("Leave this model out")
    assert candidates_of(server.get, run["id"]) == []


def test_merges_that_overflow_end_no_run(server: Server, parents: Any) -> None:
    """One row of the embedding, that no problem reads, lies at either end of the range."""
    ends = []
    for index, value in enumerate((3.2e38, -3.2e38)):
        tensors = {name: tensor.clone() for name, tensor in draw_all(NANO, seed=index + 1).items()}
        tensors["embedding.weight"][250] = value
        ends.append(bring(server, f"end-{index}", tensors)["id"])
    run = server.post(
        "/v1/evomerge/runs",
        {"parents": ends, "generations": 1, "eval_problems": 8, "heldout_problems": 8, "basis": "raw"},
    )
    server.wait(run["id"], is_status("succeeded"))
    found = candidates_of(server.get, run["id"])
    faulted = [one for one in found if one["fault"] is not None]
    assert faulted
    assert all(one["digest"] is None and one["fitness"]["total"] == 0 for one in faulted)
    report = server.get(f"/v1/runs/{run['id']}/report")
    assert report["champion"]["fault"] is None
    assert report["champion_model_id"] is not None
    assert report["generations"][0]["faulted"] == len(faulted)
    assert report["verdict"]["champion"]["accuracy"] == report["champion_heldout"]["accuracy"]
    # what is proved of it is that its recipe fails as it did
    verification = server.post(f"/v1/candidates/{faulted[0]['id']}/verify", status=200)
    checks = {check["name"]: check for check in verification["checks"]}
    assert (verification["ok"], checks["rebuild"]["status"]) == (True, "passed")
    assert checks["rebuild"]["found"] == faulted[0]["fault"]["message"]
    refused = server.post(f"/v1/candidates/{faulted[0]['id']}/materialize", status=409)
    assert refused["code"] == "non_finite"
