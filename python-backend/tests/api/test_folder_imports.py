"""Folders of causal LMs that users bring, file by file, over HTTP with real processes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forge_server import PATIENCE_SECONDS, Server
from registry.bundle.tiny import logits, saved, tiny
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM

from agent_forge.registry.bundle.inspection import inspect


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("folders") / "data")
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama in shards with a tokenizer, and what repositories hold beside it."""
    folder = saved(tiny("llama"), tmp_path_factory.mktemp("published"), max_shard_size="30KB")
    vocabulary = {f"w{index}": index for index in range(90)} | {"[UNK]": 90}
    Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))  # noqa: S106
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    (folder / "modeling_own.py").write_text("raise SystemExit")
    return folder


def asked(server: Server, name: str, folder: Path, **changes: Any) -> dict[str, Any]:
    files = [{"name": path.name, "bytes": path.stat().st_size} for path in sorted(folder.iterdir())]
    body = {"name": name, "source": {"kind": "upload", "files": files}}
    found: dict[str, Any] = server.post("/v1/imports", body | changes, status=201)
    return found


def put(server: Server, going: dict[str, Any], name: str, content: bytes, offset: int = 0) -> Any:
    return server.client.put(f"/v1/imports/{going['id']}/files/{name}?offset={offset}", content=content)


def send_all(server: Server, going: dict[str, Any], folder: Path) -> None:
    for file in going["files"]:
        if file["left_out"] is None and file["received"] < file["bytes"]:
            content = (folder / file["name"]).read_bytes()[file["received"] :]
            answer = put(server, going, file["name"], content, file["received"])
            assert answer.status_code == 200, answer.text
            assert answer.json()["received"] == file["bytes"]


def ended(server: Server, going: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = server.get(f"/v1/imports/{going['id']}")
        if found["status"] in ("succeeded", "failed"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"still {found['status']}")


def finished(server: Server, going: dict[str, Any]) -> dict[str, Any]:
    server.post(f"/v1/imports/{going['id']}/finish", status=202)
    return ended(server, going)


def test_a_folder_comes_in_although_everything_is_killed_on_the_way(server: Server, published: Path) -> None:
    going = asked(server, "whole", published)
    left_out = {file["name"]: file["left_out"] for file in going["files"] if file["left_out"]}
    assert left_out.keys() == {"pytorch_model.bin", "modeling_own.py"}
    first, second = sorted(published.glob("model-*.safetensors"))[:2]
    assert put(server, going, first.name, first.read_bytes()).status_code == 200
    assert put(server, going, second.name, second.read_bytes()[:5000]).json()["received"] == 5000

    server.kill()
    server.start()
    again = asked(server, "whole", published)
    received = {file["name"]: file["received"] for file in again["files"]}
    assert (received[first.name], received[second.name]) == (first.stat().st_size, 5000)
    refused = put(server, again, second.name, second.read_bytes())
    assert (refused.status_code, refused.json()["code"]) == (409, "offset_differs")
    too_early = server.post(f"/v1/imports/{again['id']}/finish", status=409)
    assert "bytes" in too_early["detail"]
    send_all(server, again, published)
    done = finished(server, again)
    assert done["fault"] is None

    model = server.get(f"/v1/models/{done['model_id']}")
    expected = inspect(published, [path.name for path in published.iterdir() if path.suffix not in (".bin", ".py")])
    assert (model["digest"], model["parameters"]) == (expected.digest, tiny("llama").num_parameters())
    assert model["architecture"]["model_type"] == "llama"
    assert model["architecture"]["config"] == json.loads((published / "config.json").read_bytes())
    assert model["tokenizer"] | {"sha256": None, "vocabulary": None} == {
        "kind": "WordLevel", "tokens": 91, "sha256": None, "vocabulary": None, "chat_template": True,
    }  # fmt: skip
    assert sum(row["parameters"] for row in model["modules"]) == model["parameters"]
    assert [row["module"] for row in model["modules"]][:2] == ["model.embed_tokens", "model.layers.0.self_attn.q_proj"]
    proof = server.post(f"/v1/models/{model['id']}/verify", status=200)
    assert proof["ok"], proof
    folder = server.data / "models" / model["folder"]
    assert {path.name for path in folder.iterdir()} == {path.name for path in published.iterdir()} - left_out.keys()
    own = AutoModelForCausalLM.from_pretrained(published, use_safetensors=True).eval()
    assert logits(AutoModelForCausalLM.from_pretrained(folder).eval()).equal(logits(own))
    assert server.post("/v1/imports", {"name": "whole", "source": going_source(published)}, status=409)["code"] == (
        "name_taken"
    )
    damaged = folder / "config.json"
    damaged.write_bytes(damaged.read_bytes() + b" ")
    assert server.post(f"/v1/models/{model['id']}/verify", status=200)["ok"] is False
    assert server.client.delete(f"/v1/models/{model['id']}").status_code == 204
    assert not folder.exists()


def going_source(folder: Path) -> dict[str, Any]:
    return {"kind": "upload", "files": [{"name": "config.json", "bytes": 1}]}


def test_what_is_wrong_is_said_and_can_be_mended(server: Server, published: Path, tmp_path: Path) -> None:
    for path in published.glob("model[.-]*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tokenizer.json").write_text('{"model": "none"}')
    going = asked(server, "mended", tmp_path)
    send_all(server, going, tmp_path)
    failed = finished(server, going)
    assert (failed["status"], failed["fault"]["code"]) == ("failed", "bad_model_file")
    assert "tokenizer.json is no tokenizer" in failed["fault"]["detail"]
    (tmp_path / "tokenizer.json").unlink()
    again = asked(server, "mended", tmp_path)
    assert all(file["received"] == file["bytes"] for file in again["files"]), "nothing is sent twice"
    done = finished(server, again)
    assert done["status"] == "succeeded"
    assert server.get(f"/v1/models/{done['model_id']}")["architecture"] is None


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("config.json", b"[" * 20, 422, "is not JSON"),
        ("config.json", b'{"a": 1, "a": 2}    ', 422, "named twice"),
        ("config.json", b"x" * 21, 413, "20 bytes were announced"),
        ("..%2Fconfig.json", b"{}", 404, ""),
        ("modeling.py", b"raise", 422, "is code"),
        ("pytorch_model.bin", b"\x80\x02.", 422, "may run code"),
        ("generation_config.json", b"{}", 422, "was not among the files"),
        ("model.safetensors", b"\x80\x02." * 700, 422, "a pickle"),
    ],
)
def test_files_that_are_refused(server: Server, name: str, content: bytes, status: int, said: str) -> None:
    body = {
        "name": "refused",
        "source": {
            "kind": "upload",
            "files": [{"name": "config.json", "bytes": 20}, {"name": "model.safetensors", "bytes": 2100}],
        },
    }
    going = server.post("/v1/imports", body, status=201)
    answer = put(server, going, name, content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said in answer.json()["detail"]
    assert all(file["received"] == 0 for file in server.get(f"/v1/imports/{going['id']}")["files"])


def test_an_import_that_is_not_there(server: Server) -> None:
    for path in ("imp_0", "imp_" + "0" * 24, "imp_..", "mdl_" + "0" * 24):
        assert server.client.get(f"/v1/imports/{path}").status_code == 404
        assert server.client.delete(f"/v1/imports/{path}").status_code == 404
    going = server.post("/v1/imports", {"name": "gone", "source": going_source(Path())}, status=201)
    assert server.client.delete(f"/v1/imports/{going['id']}").status_code == 204
    assert server.client.get(f"/v1/imports/{going['id']}").status_code == 404
    assert list((server.data / "models" / ".arriving").glob(f"{going['id']}*")) == []


@pytest.fixture
def rooted(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "models").mkdir()
    started = Server(
        tmp_path / "data",
        {
            "AGENT_FORGE_MODEL_ROOTS": json.dumps([str(tmp_path / "models")]),
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path / "hub"),
        },
    )
    yield started
    assert started.stop() == 0


def brought(server: Server, name: str, source: dict[str, Any]) -> dict[str, Any]:
    return ended(server, server.post("/v1/imports", {"name": name, "source": source}, status=201))


def cached(hub: Path, published: Path) -> None:
    """As the hub's library keeps what it has fetched: links to files that are named by their content."""
    repository = hub / "hub" / "models--owner--tiny"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "blobs").mkdir()
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for index, path in enumerate(sorted(published.iterdir())):
        (repository / "blobs" / f"blob{index}").write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(f"../../blobs/blob{index}")


def test_folders_on_the_backend_s_machine(rooted: Server, published: Path, tmp_path: Path) -> None:
    root = tmp_path / "models"
    shutil.copytree(published, root / "tiny")
    done = brought(rooted, "linked", {"kind": "folder", "path": "tiny"})
    assert done["fault"] is None
    model = rooted.get(f"/v1/models/{done['model_id']}")
    own = [path.name for path in published.iterdir() if path.suffix not in (".bin", ".py")]
    assert model["digest"] == inspect(published, own).digest
    folder = rooted.data / "models" / model["folder"]
    assert all((folder / name).read_bytes() == (published / name).read_bytes() for name in own)
    assert {path.name for path in folder.iterdir()} == set(own)
    (root / "out").symlink_to(published)
    (root / "inside").mkdir()
    (root / "inside" / "model.safetensors").symlink_to(published / "config.json")
    for name, path, code in (
        ("absent", "nowhere", "bad_name"),
        ("outside", str(published), "bad_name"),
        ("climbing", f"../{published.name}", "bad_name"),
        ("through-a-link", "out", "bad_name"),
        ("link-inside", "inside", "bad_model_file"),
    ):
        assert brought(rooted, name, {"kind": "folder", "path": path})["fault"]["code"] == code, name

    offline = brought(rooted, "offline", {"kind": "hub", "repository": "owner/tiny"})
    assert (offline["fault"]["code"], "HF_HUB_OFFLINE" in offline["fault"]["detail"]) == ("hub_unavailable", True)
    cached(tmp_path / "hub", published)
    fetched = brought(rooted, "offline", {"kind": "hub", "repository": "owner/tiny", "revision": "main"})
    assert fetched["fault"] is None
    assert rooted.get(f"/v1/models/{fetched['model_id']}")["digest"] == model["digest"]
