"""One merge from files to a file: read, merged, hashed and written, beside mergekit over the same folders and YAML.

    cd python-backend && ../.venv/bin/python -m benchmarks.streaming --mergekit VENV/bin/python [--layers 4]

The models are a synthetic base of Llama's names in bfloat16 and two near it. Each merge runs in a process of its own,
and what it costs is the processor time of that process, imports and compilation apart. mergekit writes no hashes; ours
are the model's digest. Anonymous memory is the largest seen every few milliseconds, libraries included. "equal" is the
share of entries that have the same bytes in both results. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import torch

from agent_forge.contract.recipe import Leaf
from agent_forge.evomerge.stack import stack_of
from agent_forge.evomerge.streaming import stream
from agent_forge.merges.configuration import ModelReference
from agent_forge.merges.conversion import Model, read
from agent_forge.registry.bundle.view import TensorView
from agent_forge.registry.tensors import load_tensors, write_tensors

MODELS = ("base", "a", "b")
METHODS = {
    "linear": "merge_method: linear\nmodels: [{model: a}, {model: b}]\nparameters: {weight: 1.0}\n",
    "slerp": "merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}]\nparameters: {t: 0.4}\n",
    "ties": "merge_method: ties\nbase_model: base\nmodels: [{model: a}, {model: b}]\n"
    "parameters: {weight: 0.5, density: 0.3}\n",
}
TYPES = {"in their own type": "", "in float32": "dtype: float32\nout_dtype: bfloat16\n"}
PEER = """
import json, sys, time, yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
text, target = sys.argv[1:]
start = time.process_time()
run_merge(MergeConfiguration.model_validate(yaml.safe_load(text)), target,
          MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True, out_shard_size=10**12))
print(json.dumps({"seconds": time.process_time() - start}))
"""


def family(place: Path, layers: int, width: int, vocabulary: int) -> int:
    """Number of parameters of each of the three. Written shard by shard: none is ever in memory as a whole."""
    shards = [{"model.embed_tokens.weight": (vocabulary, width)}, {"lm_head.weight": (vocabulary, width)}]
    for layer in range(layers):
        parts = {
            **{f"self_attn.{part}_proj": (width, width) for part in "qkvo"},
            "mlp.gate_proj": (3 * width, width),
            "mlp.up_proj": (3 * width, width),
            "mlp.down_proj": (width, 3 * width),
        }
        shards.append({f"model.layers.{layer}.{name}.weight": shape for name, shape in parts.items()})
    norms = [f"{layer}.{name}" for layer in range(layers) for name in ("input_layernorm", "post_attention_layernorm")]
    names = [*(f"model.layers.{name}.weight" for name in norms), "model.norm.weight"]
    shards.append(dict.fromkeys(names, (1, width)))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": 3 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "vocab_size": vocabulary,
        "torch_dtype": "bfloat16",
    }
    for index, model in enumerate(MODELS):
        (place / model).mkdir()
        (place / model / "config.json").write_text(json.dumps(config))
        where: dict[str, str] = {}
        for number, shapes in enumerate(shards):
            file = f"model-{number + 1:05}-of-{len(shards):05}.safetensors"
            tensors = {name: _weights(name, shape, index) for name, shape in shapes.items()}
            write_tensors(place / model / file, tensors, {"format": "pt"}, durable=False)
            where |= dict.fromkeys(shapes, file)
        (place / model / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return sum(rows * columns for shapes in shards for rows, columns in shapes.values())


def _weights(name: str, shape: tuple[int, int], model: int) -> torch.Tensor:
    """The base's, which every model draws again, and of the others their own change. Of one row: a vector."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    made = torch.empty(shape).normal_(0, 0.02, generator=generator)
    if model:
        generator.manual_seed(zlib.crc32(name.encode()) + model)
        made += torch.empty(shape).normal_(0, 0.002, generator=generator)
    return made.squeeze(0).to(torch.bfloat16)


def mapped_models(place: Path) -> dict[str, TensorView]:
    return {name: TensorView(sorted((place / name).glob("*.safetensors"))) for name in MODELS}


def ours(text: str, place: Path, target: Path) -> dict[str, Any]:
    """Run in a process of its own: seconds of processor time, and anonymous memory in bytes."""
    mapped = mapped_models(place)

    def catalog(reference: ModelReference) -> Model:
        digest = hashlib.sha256(reference.path.encode()).hexdigest()
        return Model(Leaf(model_id=reference.path, digest=digest), stack_of(mapped[reference.path]), "bfloat16")

    recipe = read(text, catalog).recipe
    # kernels are compiled when they are first used on a machine, and loaded when they are first used in a process
    small = {name: tensor[:70000] for name, tensor in mapped["base"].items()}
    stream(recipe, lambda leaf: small, target)
    most, stop = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not stop.wait(0.005):
            most = max(most, anonymous())

    watching = threading.Thread(target=watch)
    watching.start()
    start = time.process_time()
    stream(recipe, lambda leaf: mapped[leaf.model_id], target)
    seconds = time.process_time() - start
    stop.set()
    watching.join()
    return {"seconds": seconds, "anonymous": most}


def anonymous() -> int:
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def run(order: list[str], place: Path) -> dict[str, Any]:
    done = subprocess.run(order, cwd=place, capture_output=True, text=True, check=False)  # noqa: S603 - the caller's
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no output"])[-1])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def equal(one: Path, other: Path) -> float:
    mine, theirs = load_tensors(one), load_tensors(other)
    same = sum(int((mine[name].view(torch.int16) == theirs[name].view(torch.int16)).sum()) for name in mine)
    return same / sum(tensor.numel() for tensor in mine.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mergekit", help="python of a virtual environment that has mergekit 0.1.5; else ours alone")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--own-type", action="store_true", help="mergekit merges in the models' own type only")
    parser.add_argument("--directory", type=Path, help="files go to a temporary directory below it")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        place = Path(directory)
        count = family(place, options.layers, options.width, options.vocabulary)
        here = str(Path(__file__).parents[1])
        code = f"import json,sys; sys.path.insert(0, {here!r}); from benchmarks.streaming import *; "
        for method in options.methods.split(","):
            for kind, types in list(TYPES.items())[: 1 if options.own_type else None]:
                text = METHODS[method] + types
                call = "print(json.dumps(ours(sys.argv[1], Path('.'), Path('ours.safetensors'))))"
                mine = run([sys.executable, "-c", code + call, text], place)
                row: dict[str, Any] = {
                    "method": method,
                    "seconds": round(mine["seconds"], 2),
                    "anonymous_mb": mine["anonymous"] >> 20,
                }
                if options.mergekit:
                    theirs = run([options.mergekit, "-c", PEER, text, "theirs"], place)
                    row |= {
                        "mergekit merges": kind,
                        "mergekit_seconds": round(theirs["seconds"], 2),
                        "ratio": round(mine["seconds"] / theirs["seconds"], 3),
                        "equal": round(equal(place / "ours.safetensors", place / "theirs" / "model.safetensors"), 6),
                    }
                rows.append(row)
                sys.stdout.write(f"{row}\n")
                sys.stdout.flush()
    sys.stdout.write(json.dumps({"parameters": count, "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
