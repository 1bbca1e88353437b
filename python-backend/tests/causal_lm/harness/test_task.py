"""Of the real package: without it these tests fail, and `npm run setup -- lm-eval` is what helps."""

from __future__ import annotations

import json
import tomllib
import warnings
from pathlib import Path

import causal_lms
import numpy as np
import pytest
import torch

from agent_forge.causal_lm.evaluation import CausalEvaluator, Measured
from agent_forge.causal_lm.harness import files
from agent_forge.causal_lm.harness.files import check_task
from agent_forge.causal_lm.harness.task import Task
from agent_forge.causal_lm.network import open_network
from agent_forge.causal_lm.text import Text
from agent_forge.cognate.datasets.problem import Split
from agent_forge.cognate.errors import InvalidSetting
from agent_forge.contract.evomerge import CausalLMSettings

BACKEND = Path(__file__).parents[3]
COMMON = """
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl, train: shots.jsonl}}
test_split: test
doc_to_text: "{{question}}"
"""
TASKS = {
    "choose": """
output_type: multiple_choice
doc_to_choice: ["{{right}}", "{{wrong}}"]
doc_to_target: 0
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
""",
    "say": """
output_type: generate_until
doc_to_target: "{{right}}"
generation_kwargs: {until: ["."], max_gen_toks: 3, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
""",
    "go_on": """
output_type: loglikelihood
doc_to_target: " {{right}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
""",
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("root")
    (root / files.DIRECTORY).mkdir()
    rows = [
        {"question": f"{a} plus {b} is", "right": str(a + b), "wrong": str(a + b + 1)}
        for a in range(6)
        for b in range(6)
    ]
    for name, part in (("sums", rows[6:]), ("shots", rows[:6])):
        (root / files.DIRECTORY / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))
    for name, body in TASKS.items():
        (root / files.DIRECTORY / f"{name}.yaml").write_text(f"task: {name}\n{COMMON}{body}")
    (root / files.DIRECTORY / "shown.yaml").write_text(
        "task: shown\ninclude: choose.yaml\nfewshot_split: train\nnum_fewshot: 2\n"
    )
    return [root]


def evaluator(roots: list[Path], folder: Path) -> CausalEvaluator:
    names = tuple(f"{files.PREFIX}{name}" for name in TASKS)
    measured = Measured(names, 1, 64, 64, CausalLMSettings(batch_size=4, max_new_tokens=4))
    return CausalEvaluator(causal_lms.architecture("llama"), folder, measured, roots=roots)


def test_scores_are_those_of_the_harness_itself(
    roots: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the same documents: those of selection and held-out together are all but the training ones."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tensors = causal_lms.tensors(causal_lms.network("llama"))
    own = evaluator(roots, folder)
    found = own.answers(tensors, "selection").joined(own.answers(tensors, "heldout"))
    from lm_eval import evaluator as harness  # type: ignore[import-not-found]
    from lm_eval.api.task import ConfigurableTask  # type: ignore[import-not-found]

    from agent_forge.causal_lm.harness.model import NetworkLM

    network = open_network(causal_lms.architecture("llama"), tensors, torch.float32)
    model = NetworkLM(network, Text(folder), limit=256, batch_size=4, max_tokens=4, device=torch.device("cpu"))
    for index, name in enumerate(TASKS):
        task = ConfigurableTask(config=check_task(files.PREFIX + name, roots, "datasets"))
        ours = Task(files.PREFIX + name, roots)
        asked = [exam.document for split in (Split.selection, Split.heldout) for exam in ours.exams(split, 0, 99)]
        places = [place for place, document in enumerate(task.eval_docs) if document in asked]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = harness.evaluate(lm=model, task_dict={name: task}, samples={name: places}, bootstrap_iters=0)
        mine, losses = found.solved[found.dataset == index], found.losses[found.dataset == index]
        assert len(mine) == len(places) > 10
        metric = "exact_match,none" if name == "say" else "acc,none"
        assert told["results"][name][metric] == pytest.approx(mine.mean())
        if name == "go_on":
            assert told["results"][name]["perplexity,none"] == pytest.approx(np.exp(losses.mean()), rel=1e-5)


def test_blocks_are_the_parts_of_the_whole(roots: list[Path], folder: Path) -> None:
    tensors, own = causal_lms.tensors(causal_lms.network("llama", 1)), evaluator(roots, folder)
    whole = own.answers(tensors, "selection")
    parts = own.answers(tensors, "selection", 0, 4).joined(own.answers(tensors, "selection", 4, 64))
    order = np.argsort(parts.dataset, kind="stable")
    assert parts.losses[order] == pytest.approx(whole.losses, rel=1e-4)
    assert (parts.solved[order] == whole.solved).all()
    fisher = own.fisher(tensors, own.calibration)
    assert all(bool(one.isfinite().all()) for one in fisher.values())


def test_shots_are_the_same_whatever_was_asked_before(roots: list[Path]) -> None:
    task, again = (Task("lm-eval:shown", roots) for _ in range(2))
    later = again.exams(Split.heldout, 1, 4)
    contexts = [exam.requests[0].args[0] for exam in task.exams(Split.heldout, 0, 4)[1:]]
    assert contexts == [exam.requests[0].args[0] for exam in later]
    assert {context.count(" plus ") for context in contexts} == {3}
    assert len(set(contexts)) == 3


def test_prompts_can_be_put_into_a_template(roots: list[Path]) -> None:
    task = Task("lm-eval:choose", roots)
    (plain,) = task.exams(Split.heldout, 0, 1)
    (asked,) = task.exams(Split.heldout, 0, 1, lambda prompts: [f"<{prompt}>" for prompt in prompts])
    assert [one.args[0] for one in asked.requests] == [f"<{one.args[0]}>" for one in plain.requests]
    assert [one.args[1] for one in asked.requests] == [one.args[1].strip() for one in plain.requests]


def test_splits_share_no_document(roots: list[Path]) -> None:
    task = Task("lm-eval:choose", roots)
    found = {split: {exam.document["question"] for exam in task.exams(split, 0, 99)} for split in Split}
    assert sum(map(len, found.values())) == 30
    assert len(set.union(*found.values())) == 30


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("doc_to_target: !function answers.right", "doc_to_target: is code"),
        ("process_docs: !function answers.right", "process_docs: is code"),
        ("class: !function task.Sums", "class: is code"),
        ("unsafe_code: true", "unsafe_code: is code"),
        ("output_type: loglikelihood_rolling", "output_type: 'loglikelihood_rolling' is not measured"),
        ("repeats: 5", "repeats: "),
        ("generation_kwargs: {do_sample: true}", "generation_kwargs: answers are not drawn"),
        ("metric_list: [{metric: bleu, hf_evaluate: true}]", "hf_evaluate fetches code"),
        ("dataset_kwargs: {data_files: {test: none.jsonl}}", "cannot be made"),
    ],
)
def test_what_is_code_or_cannot_be_repeated_is_refused(
    tmp_path: Path, roots: list[Path], changes: str, said: str
) -> None:
    folder = tmp_path / files.DIRECTORY
    folder.mkdir()
    (folder / "base.yaml").write_text(
        f"{COMMON}{TASKS['say']}".replace("sums.jsonl", str(roots[0] / "lm-eval/sums.jsonl"))
    )
    (folder / "bad.yaml").write_text(f"task: bad\ninclude: base.yaml\n{changes}\n")
    with pytest.raises(InvalidSetting) as refused:
        Task("lm-eval:bad", [tmp_path], "datasets.0.name")
    assert said in str(refused.value)
    assert refused.value.field == "datasets.0.name"


def test_what_is_there_is_told_where_a_task_is_not(roots: list[Path]) -> None:
    with pytest.raises(InvalidSetting, match="lm-eval:<task>, of choose, go_on, say, shown"):
        check_task("lm-eval:mmlu", roots, "datasets.0.name")


def test_one_version_in_all_places() -> None:
    extras = tomllib.loads((BACKEND / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["lm-eval"] == [f"{files.PACKAGE}=={files.VERSION}"]
    for suffix in ("in", "lock"):
        assert f"\n{files.PACKAGE}=={files.VERSION}" in (BACKEND / f"requirements-lm-eval.{suffix}").read_text()
    assert files.PACKAGE not in (BACKEND / "requirements.lock").read_text()
