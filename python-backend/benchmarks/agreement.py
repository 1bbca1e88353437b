"""Whether a merge configuration gives here what it gives in mergekit: same file, same folders, entry by entry.

    cd python-backend && ../.venv/bin/python -m benchmarks.agreement --mergekit VENV/bin/python [--tried ties,slerp]

Three models are near a tiny Llama's base, stored in shards, once in float32 and once in bfloat16. mergekit merges in
the type that they are stored in, or in the configuration's `dtype`; ours always in float64, rounded once. So a
difference that is gone where mergekit is told `dtype: float64` is the rounding of its arithmetic; what is left is
worked out from the inputs, as `_agreement.py` has it. Random merges differ by their generator: there the statistics are
compared, and without dropping the entries. Prints a table; the exit code is 1 where a difference is not explained.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge.stack import stack_of
from agent_forge.evomerge.streaming import stream
from agent_forge.merges.configuration import ModelReference
from agent_forge.merges.conversion import Model, read
from agent_forge.registry.bundle.view import TensorView

from ._agreement import ERRORS, definition, ram_plus_with_rounded_ratio, statistics
from ._configurations import TRIED, Tried

PEER = Path(__file__).with_name("mergekit_configurations_peer.py")
FLOAT64 = "float64"


@dataclass(frozen=True)
class Types:
    """What models are stored in, and what mergekit is told to merge in; null: nothing."""

    stored: str
    merged: str | None = None

    def __str__(self) -> str:
        return f"{self.stored} in {self.merged or 'its own type'}"

    def written(self, text: str) -> str:
        """Of every document, as each is merged by itself."""
        if self.merged is None:
            return text
        types = f"dtype: {self.merged}\nout_dtype: {self.stored}\n"
        return "---\n".join(document + types for document in text.split("---\n"))


COLUMNS = (
    Types("float32"),
    Types("float32", FLOAT64),
    Types("bfloat16"),
    Types("bfloat16", "float32"),
    Types("bfloat16", FLOAT64),
)


@dataclass(frozen=True)
class Difference:
    """entries: how many differ; beyond: by more than one unit in the last place; most: the largest difference in such
    units; excused: how many of the others differ by definition."""

    count: int
    entries: int
    beyond: int
    most: int
    excused: int
    midpoints: int
    """How many are neighbours of which the exact result is halfway between, or 0, but for float64's rounding."""

    def __str__(self) -> str:
        if not self.entries:
            return "equal"
        share = 100 / self.count
        said = f"{self.entries * share:.2g} %"
        if self.beyond:
            said += f", {self.beyond * share:.2g} % > 1 ulp, ≤ {self.most:,}"
        known = [(self.excused, "by definition"), (self.midpoints, "halfway")]
        return "; ".join([said, *(f"{count:,} of {self.entries:,} {why}" for count, why in known if count)])


def family(place: Path, stored: str) -> None:
    """base, a, b and c: folders of a tiny Llama, in shards."""
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(1)
    for name, deviation in (("base", 0.02), ("a", 0.002), ("b", 0.002), ("c", 0.002)):
        if name == "base":
            base = {
                key: (tensor if tensor.dim() == 1 else 0) + _noise(tensor, deviation, generator)
                for key, tensor in model.state_dict().items()
            }
            # so that task vectors do not point apart
            shared = {key: _noise(tensor, 0.0015, generator) for key, tensor in base.items()}
        noise = {key: _noise(tensor, deviation, generator) for key, tensor in base.items()}
        state = base if name == "base" else {key: base[key] + shared[key] + noise[key] for key in base}
        model.load_state_dict(state)
        model.to(getattr(torch, stored)).save_pretrained(place / name, max_shard_size="100KB")
        model.float()


def _noise(like: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    return torch.empty_like(like).normal_(0, deviation, generator=generator)


def view(folder: Path) -> TensorView:
    return TensorView(sorted(folder.glob("*.safetensors")))


def ours(text: str, place: Path, target: Path) -> TensorView:
    def catalog(reference: ModelReference) -> Model:
        tensors = view(place / reference.path)
        digest = hashlib.sha256(reference.path.encode()).hexdigest()
        dtype = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
        return Model(Leaf(model_id=reference.path, digest=digest), stack_of(tensors), dtype)

    stream(read(text, catalog).recipe, lambda leaf: view(place / leaf.model_id), target)
    return TensorView([target])


def theirs(python: str, place: Path) -> dict[str, str]:
    """What mergekit said of those that it did not merge, by name."""
    order = [python, str(PEER), "theirs"]
    done = subprocess.run(order, cwd=place, capture_output=True, text=True, check=False)  # noqa: S603 - the caller's own
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def ranked(tensor: Tensor) -> Tensor:
    """Numbers in the order of the floats, neighbours one apart; both zeros are 0."""
    bits = tensor.view(torch.int16 if tensor.dtype == torch.bfloat16 else torch.int32).long()
    return torch.where(bits < 0, -(bits & (2 ** (8 * tensor.dtype.itemsize - 1) - 1)), bits)


def compared(
    mine: Mapping[str, Tensor],
    other: Mapping[str, Tensor],
    exact: Mapping[str, Tensor],
    name: str,
    tried: Tried,
    place: Path,
) -> Difference:
    """exact: ours in float64."""
    method = name.split(",")[0]
    folders = {one: view(place / one) for one in ("base", *tried.inputs)}
    entries = beyond = most = excused = midpoints = count = 0
    if mine.keys() != other.keys():
        raise RuntimeError(f"{name}: `{min(mine.keys() ^ other.keys())}` is in one of the results only")
    for key, tensor in mine.items():
        # of some merges of 16 bits mergekit writes float32
        given = other[key].to(tensor.dtype)
        apart = (ranked(tensor) - ranked(given)).abs()
        count += tensor.numel()
        if not bool(apart.any()):
            continue
        entries += int((apart > 0).sum())
        beyond += int((apart > 1).sum())
        most = max(most, int(apart.max()))
        halfway = (apart > 0) & _halfway(exact[key], tensor, given)
        midpoints += int(halfway.sum())
        if tried.settings:
            models, base = [folders[one][key].double() for one in tried.inputs], folders["base"][key].double()
            known = definition(method, models, base, tried.settings)
            if method == "ramplus_tl":
                redone = ram_plus_with_rounded_ratio(models, base, tried.settings)
                known |= redone.to(given.dtype) == given
            excused += int((known & (apart > 0) & ~halfway).sum())
    return Difference(count, entries, beyond, most, excused, midpoints)


def _halfway(exact: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """torch goes from float64 to bfloat16 by float32, which decides what is within half a unit of float32 of a
    midpoint."""
    low, high = one.double(), other.double()
    within = (high - low).abs() * (2.0**-16 if one.dtype == torch.bfloat16 else 1e-8)
    neighbours = (ranked(one) - ranked(other)).abs() == 1
    cancelled = (one == 0) & (high.abs() < 2.0**-52 * one.abs().max().double())
    return neighbours & ((exact - (low + high) / 2).abs() <= within) | cancelled


def alike(
    one: Mapping[str, Tensor],
    other: Mapping[str, Tensor],
    undropped: Mapping[str, Tensor],
    base: Mapping[str, Tensor],
    method: str,
) -> tuple[bool, str]:
    """Of random merges. della's mean change is left out: see agent_forge/evomerge/ops/README.md."""
    passed, parts = True, []
    for first, second in zip(statistics(one, base, undropped), statistics(other, base, undropped), strict=True):
        apart = abs(first.value - second.value) / max((first.error**2 + second.error**2) ** 0.5, 1e-12)
        counted = not (method.startswith("della") and first.name != "left at the base")
        passed &= apart <= ERRORS or not counted
        parts.append(f"{first.name} {first.value:.3g} / {second.value:.3g}")
    return passed, ", ".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mergekit", required=True, help="python of a virtual environment that has mergekit 0.1.5")
    parser.add_argument("--tried", default="", help="names, separated by semicolons")
    options = parser.parse_args()
    chosen = {name: TRIED[name] for name in options.tried.split(";")} if options.tried else TRIED
    cells: dict[str, list[str]] = {name: [] for name in chosen}
    drawn: list[str] = []
    unexplained: list[str] = []
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as directory:
        for stored in ("float32", "bfloat16"):
            place = Path(directory) / stored
            (place / "theirs").mkdir(parents=True)
            family(place, stored)
            columns = [types for types in COLUMNS if types.stored == stored]
            for name, tried in chosen.items():
                for types in columns:
                    (place / "theirs" / f"{name} {types}.yml").write_text(types.written(tried.theirs or tried.text))
            failed = theirs(options.mergekit, place)
            for name, tried in chosen.items():
                for types in columns:
                    said, explained = _cell(place, name, tried, types, failed)
                    if not explained:
                        unexplained.append(f"{name}, {types}: {said}")
                    elif tried.undropped is not None:
                        drawn.append(f"{name}, {types}: {said}")
                        said = "alike in the mean"
                    cells[name].append(said)
    sys.stdout.write("| configuration | " + " | ".join(map(str, COLUMNS)) + " |\n|---" + "|--:" * len(COLUMNS) + "|\n")
    for name, row in cells.items():
        sys.stdout.write(f"| {name} | {' | '.join(row)} |\n")
    sys.stdout.write("".join(f"{one}\n" for one in drawn))
    sys.stdout.write(f"{len(unexplained)} differences are not explained\n" + "".join(f"{one}\n" for one in unexplained))
    return 1 if unexplained else 0


def _cell(place: Path, name: str, tried: Tried, types: Types, failed: Mapping[str, str]) -> tuple[str, bool]:
    what = f"{name} {types}"
    if what in failed:
        return f"mergekit: {failed[what]}", False
    mine = ours(types.written(tried.text), place, place / "ours.safetensors")
    other = view(place / "theirs" / what)
    if tried.undropped is not None:
        undropped = ours(types.written(tried.undropped), place, place / "undropped.safetensors")
        passed, said = alike(mine, other, undropped, view(place / "base"), name)
        return said, passed
    wide = Types(FLOAT64, FLOAT64).written(tried.text)
    difference = compared(mine, other, ours(wide, place, place / "exact.safetensors"), name, tried, place)
    known = difference.excused + difference.midpoints
    return str(difference), types.merged != FLOAT64 or difference.entries == known or tried.shown_by is not None


if __name__ == "__main__":
    sys.exit(main())
