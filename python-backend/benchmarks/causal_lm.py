"""Two fine-tunes of a causal language model, merged and bred by a real backend, over HTTP, from import to answer.

    cd python-backend && ../.venv/bin/python -m benchmarks.causal_lm --base FOLDER --problems FILE.jsonl
        [--folder .benchmark/causal_lm] [--steps 120] [--generations 10] [--population 8] [--settings JSON]

FOLDER is a model as Hugging Face has it, e.g. SmolLM2-135M; FILE.jsonl holds {prompt, answer} lines for the first
parent. The second learns a letter code, which is written here: words of four letters, each letter four further. Both
are tuned on training problems; breeding selects by other ones, and held-out ones are read once, at the end. Then the
champion is verified, downloaded as a folder, opened by transformers and asked. Parents stay in the folder, so that a
second run has them at once. Prints markdown.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
import zipfile
from itertools import islice, product
from pathlib import Path
from typing import Any

import httpx
import torch
from transformers import AutoModelForCausalLM

from agent_forge.evomerge.measure.single_merges import SINGLE_MERGES

from ._as_worker import as_worker
from ._backend import backend, created, ended, run_of
from ._fine_tuning import fine_tune

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHIFT = 4
STRIDE = 113
"""Coprime to the number of letters, so that every letter is met in every place."""
CODE, GIVEN = "code.jsonl", "given.jsonl"
SETTINGS = {
    "fitness": {"likelihood": 0.5, "accuracy": 0.5, "compute": 0.0, "memory": 0.0},
    "eval_problems": 48,
    "heldout_problems": 96,
    "final_problems": 96,
    "barrier_points": 0,
    "causal_lm": {"max_new_tokens": 8, "batch_size": 16},
}


def letter_code() -> list[dict[str, str]]:
    """Words of four letters, some 4,000 of all."""
    words = list(islice(product(LETTERS, repeat=4), 0, None, STRIDE))

    def coded(letter: str) -> str:
        return LETTERS[(LETTERS.index(letter) + SHIFT) % len(LETTERS)]

    return [
        {"prompt": f"code {' '.join(word)} ->", "answer": f" {' '.join(coded(letter) for letter in word)}"}
        for word in words
    ]


def as_lines(rows: list[dict[str, str]], target: Path) -> None:
    target.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def prepared(options: argparse.Namespace) -> Path:
    """The folder with problems and parents, made where they are not there."""
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    given = [json.loads(line) for line in options.problems.read_text(encoding="utf-8").splitlines()]
    as_lines(
        [{"prompt": f"{row['prompt'].strip()} Answer:", "answer": f" {row['answer']}"} for row in given], folder / GIVEN
    )
    as_lines(letter_code(), folder / CODE)
    for name, dataset in (("given", GIVEN), ("code", CODE)):
        target = folder / f"tuned-{name}"
        if target.exists():
            continue
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            made = Path(unfinished) / name
            made.mkdir()
            loss = fine_tune(
                options.base, f"file:{dataset}", [folder], made, steps=options.steps, problems=8, rate=5e-5, seed=42
            )
            made.rename(target)
        sys.stderr.write(f"{name}: {options.steps} steps in {time.perf_counter() - start:.0f} s, loss {loss:.3f}\n")
    return folder


def imported(client: httpx.Client, name: str, folder: Path) -> dict[str, Any]:
    source = {"kind": "folder", "path": str(folder)}
    going = created(client, "/imports", {"name": name, "source": source})["id"]
    done = ended(lambda: dict(client.get(f"/imports/{going}").raise_for_status().json()))
    model: dict[str, Any] = client.get(f"/models/{done['model_id']}").json()
    return model


def bred(client: httpx.Client, models: list[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    base, *parents = [model["id"] for model in models]
    datasets = [{"name": f"file:{name}"} for name in (GIVEN, CODE)]
    asked = SETTINGS | {"generations": options.generations, "population": options.population} | options.settings
    run = created(client, "/evomerge/runs", asked | {"datasets": datasets, "parents": parents, "base": base})["id"]
    return ended(lambda: run_of(client, run), every=1.0)


def opened(client: httpx.Client, model: dict[str, Any], folder: Path) -> str:
    """What transformers says to a problem, from the downloaded folder, by greedy decoding."""
    from transformers import AutoTokenizer

    content = client.get(f"/models/{model['id']}/download?format=zip").raise_for_status().content
    zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
    place = folder / model["name"]
    network, tokenizer = AutoModelForCausalLM.from_pretrained(place, dtype="auto"), AutoTokenizer.from_pretrained(place)
    asked = tokenizer(letter_code()[1]["prompt"], return_tensors="pt")
    with torch.inference_mode():
        said = network.generate(**asked, max_new_tokens=8, do_sample=False)
    return str(tokenizer.decode(said[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))


def table(report: dict[str, Any]) -> list[str]:
    lines = ["| held-out | fitness | given: accuracy | code: accuracy |", "|---|--:|--:|--:|"]
    rows = [(one["name"], one["heldout"]) for one in report["baselines"] if one["heldout"]]
    for name, fitness in [*rows, ("champion", report["champion_heldout"])]:
        tasks = [fitness["tasks"][f"file:{dataset}"]["accuracy"] for dataset in (GIVEN, CODE)]
        lines.append(f"| {name} | {fitness['total']:.3f} | {' | '.join(f'{share:.3f}' for share in tasks)} |")
    return lines


def ratios(report: dict[str, Any]) -> str:
    before = {one["name"]: one["heldout"]["total"] for one in report["baselines"] if one["heldout"]}
    own = report["champion_heldout"]["total"]
    parent = max(total for name, total in before.items() if name.startswith("parent:"))
    merge = max(total for name, total in before.items() if name in SINGLE_MERGES)
    return f"champion over the best parent {own / parent:.3f}, over the best single merge {own / merge:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--problems", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path(".benchmark/causal_lm"))
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--population", type=int, default=8)
    parser.add_argument("--settings", type=json.loads, default={})
    options = parser.parse_args()
    folder = prepared(options)
    places = {"base": options.base.resolve(), "given": folder / "tuned-given", "code": folder / "tuned-code"}
    roots = {
        "AGENT_FORGE_DATASET_ROOTS": json.dumps([str(folder)]),
        "AGENT_FORGE_MODEL_ROOTS": json.dumps([str(folder), str(options.base.resolve())]),
    }
    with tempfile.TemporaryDirectory(dir=folder) as place, backend(Path(place) / "data", roots) as client:
        start = time.perf_counter()
        models = [imported(client, name, path) for name, path in places.items()]
        brought, start = time.perf_counter() - start, time.perf_counter()
        run = bred(client, models, options)
        seconds = time.perf_counter() - start
        report = client.get(f"/runs/{run['id']}/report").raise_for_status().json()
        champion = client.get(f"/models/{run['champion_model_id']}").raise_for_status().json()
        proof = created(client, f"/models/{champion['id']}/verify", {})
        answer = created(client, f"/models/{champion['id']}/predict", {"prompt": letter_code()[1]["prompt"]})
        said = opened(client, champion, Path(place))
    asked = letter_code()[1]
    lines = [
        f"{ratios(report)}.",
        f"{options.generations} generations of {options.population} in {seconds:.0f} s, imports {brought:.0f} s, on "
        f"{run['device']}. Verified: {proof['ok']}.",
        f"Asked {asked['prompt']!r}, the backend says {answer['answer']!r}, transformers {said!r}; right is "
        f"{asked['answer']!r}.",
    ]
    sys.stdout.write("\n".join([*table(report), "", *lines, ""]))


if __name__ == "__main__":
    as_worker("causal_lm")
    main()
