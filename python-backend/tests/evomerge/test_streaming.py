"""Models written tensor by tensor: the same bytes as in memory, after any kill, in little memory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from evomerge.recipe.random_recipes import load, vocabulary
from torch import Tensor

from agent_forge.contract.recipe import Leaf, MergeNode
from agent_forge.evomerge import streaming
from agent_forge.evomerge.errors import NonFinite
from agent_forge.evomerge.recipe.materialise import materialise
from agent_forge.evomerge.recipe.tree import node
from agent_forge.evomerge.streaming import stream
from agent_forge.registry.digest import digest_file
from agent_forge.registry.tensors import digest_tensors, load_tensors, write_tensors

PINNED = [
    json.loads(line) for line in Path(__file__).parent.joinpath("recipe/pinned_recipes.jsonl").read_text().splitlines()
]
NAMES = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(5)]


def model(seed: int, rows: int = 40) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(rows, 33, generator=generator).to(torch.bfloat16) for name in NAMES}


def leaf(seed: int) -> Leaf:
    return Leaf(model_id=str(seed), digest=digest_tensors(model(seed)))


def given(one: Leaf) -> Mapping[str, Tensor]:
    return model(int(one.model_id))


RECIPE = node("ties", [leaf(1), node("slerp", [leaf(2), leaf(3)]), leaf(2)], leaf(0), density=0.5, scale=0.7)


@pytest.mark.parametrize("pinned", PINNED, ids=[one["recipe"]["op"] for one in PINNED])
def test_the_bytes_of_a_recipe(pinned: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # so that also small tensors that are made on the way lie in files
    monkeypatch.setattr(streaming, "LARGE", 1000)
    target = tmp_path / "model.safetensors"
    found = stream(MergeNode.model_validate(pinned["recipe"]), load, target, vocabularies=vocabulary)
    assert found.digest == digest_file(target).digest == pinned["digest"]
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_mixed_types_and_what_is_copied(tmp_path: Path) -> None:
    mixed = {name: tensor.float() if index % 2 else tensor for index, (name, tensor) in enumerate(model(1).items())}
    other = Leaf(model_id="mixed", digest=digest_tensors(mixed))
    stack = node("frankenmerge", [leaf(2), other], stack=[[1, 1], [0, 0], [1, 4]])
    recipe = node("linear", [stack, stack], weights=[1.0, 3.0])

    def leaves(one: Leaf) -> Mapping[str, Tensor]:
        return mixed if one == other else given(one)

    target = tmp_path / "model.safetensors"
    for one in (stack, recipe):
        expected = materialise(one, leaves)
        assert stream(one, leaves, target, metadata={"a": "b"}).digest == digest_tensors(expected)
        assert load_tensors(target).keys() == expected.keys()


KILLED = """
import os, signal, sys
from pathlib import Path
from evomerge.test_streaming import RECIPE, given
from agent_forge.evomerge.streaming import stream

calls = 0
def progress(done, total):
    global calls
    calls += 1
    if calls > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
stream(RECIPE, given, Path(sys.argv[1]), progress=progress)
"""


def killed(target: Path, after: int) -> None:
    path = {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", KILLED, str(target), str(after)], env={**os.environ, **path})
    assert done.returncode == -signal.SIGKILL


def test_goes_on_after_a_kill_and_looks_at_what_is_there(tmp_path: Path) -> None:
    expected = digest_tensors(materialise(RECIPE, given))
    target = tmp_path / "model.safetensors"
    journal = tmp_path / "model.safetensors.journal"

    def finished() -> list[str]:
        """Hashes are noted while the next tensors are made."""
        return [json.loads(line)["tensor"] for line in journal.read_text().splitlines()[1:]]

    killed(target, 4)
    assert not target.exists()
    before = finished()
    assert before == NAMES[: len(before)]
    with journal.open("a") as file:
        file.write('{"tensor": "model.la')
    found = stream(RECIPE, given, target)
    assert (found.digest, found.resumed) == (expected, len(before))
    assert digest_file(target).digest == expected

    target.unlink()
    killed(target, 4)
    before = finished()
    part = tmp_path / "model.safetensors.part"
    with part.open("r+b") as file:
        # the first tensor
        file.seek(len(part.read_bytes()) - sum(tensor.nbytes for tensor in model(0).values()))
        file.write(b"\x55\x55")
    found = stream(RECIPE, given, target)
    assert (found.digest, found.resumed) == (expected, max(0, len(before) - 1))


def test_other_work_begins_anew(tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    killed(target, 3)
    other = RECIPE.model_copy(update={"parameters": RECIPE.parameters | {"scale": 0.5}})
    found = stream(other, given, target)
    assert (found.digest, found.resumed) == (digest_tensors(materialise(other, given)), 0)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"

    def progress(done: int, total: int) -> None:
        with pytest.raises(BlockingIOError):
            stream(RECIPE, given, target)

    assert stream(RECIPE, given, target, progress=progress).resumed == 0


def test_refuses_what_is_not_finite_and_keeps_what_is_there(tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    bad = model(1)
    bad[NAMES[3]][7, 7] = float("nan")

    def leaves(one: Leaf) -> Mapping[str, Tensor]:
        return bad if one.model_id == "1" else given(one)

    with pytest.raises(NonFinite, match=r"model 1: `model\.layers\.3\."):
        stream(RECIPE, leaves, target)
    assert not target.exists()
    assert stream(RECIPE, given, target).digest == digest_tensors(materialise(RECIPE, given))


MEASURED = """
import re, sys, threading, time
from pathlib import Path
import torch
from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge.recipe.tree import node
from agent_forge.evomerge.streaming import stream
from agent_forge.registry.tensors import load_tensors

place = Path(sys.argv[1])
leaves = [Leaf(model_id=str(index), digest=str(index) * 64) for index in range(3)]
mapped = [load_tensors(place / f"{index}.safetensors") for index in range(3)]
def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
most, stop = 0, threading.Event()
def watch():
    global most
    while not stop.wait(0.005):
        most = max(most, anonymous())
small = node("linear", leaves)
def run(op, base, name):
    stream(node(op, [node("slerp", leaves[:2]), leaves[1]], base), lambda one: mapped[int(one.model_id)], place / name)
# kernels are compiled before
tiny = [{"w": torch.ones(70000, dtype=torch.bfloat16) * index} for index in range(3)]
for op, base in (("ties", leaves[2]), ("della", leaves[2]), ("sce", leaves[2]), ("linear", None)):
    stream(node(op, [node("slerp", leaves[:2]), leaves[1]], base), lambda one: tiny[int(one.model_id)], place / "tiny")
before = anonymous()
watching = threading.Thread(target=watch); watching.start()
for op, base in (("ties", leaves[2]), ("della", leaves[2]), ("sce", leaves[2]), ("linear", None)):
    run(op, base, "out")
stop.set(); watching.join()
print(most - before)
"""


def test_memory_does_not_grow_with_a_tensor(tmp_path: Path) -> None:
    """Of 64 MiB each; the result and what is made on the way as much."""
    for index in range(3):
        generator = torch.Generator().manual_seed(index)
        tensor = torch.empty(1 << 13, 1 << 12, dtype=torch.bfloat16).normal_(generator=generator)
        write_tensors(tmp_path / f"{index}.safetensors", {"w": tensor}, durable=False)
        size = tensor.nbytes
    said = subprocess.run([sys.executable, "-c", MEASURED, str(tmp_path)], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"-?\d+\n", said.stdout)
    assert int(said.stdout) < size / 2
