from __future__ import annotations

import json
import math

import pytest
import torch
from tiny import TINY, predicted, weights

from agent_forge.cognate.batch import Encoded, collate, encode
from agent_forge.cognate.datasets.problem import Split
from agent_forge.cognate.datasets.registry import builtin
from agent_forge.cognate.evaluation import Evaluator, ProblemSet
from agent_forge.cognate.flops import flops_per_token
from agent_forge.cognate.model import TinyTitanModel
from agent_forge.cognate.tokenizer import ByteTokenizer
from agent_forge.contract.architecture import block_of, tensor_shapes

NAMES = ("arithmetic", "recall", "deduction")
SET = ProblemSet(NAMES, 1, 12)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(TINY, SET, SET)


def test_scores_equal_one_problem_at_a_time(evaluator: Evaluator) -> None:
    tensors = weights()
    found = evaluator.evaluate(tensors, "heldout")
    codec, titan = ByteTokenizer(), TinyTitanModel(TINY).bind(tensors).requires_grad_(False)
    depth = tokens = 0
    for name, task in zip(NAMES, found.tasks, strict=True):
        losses, solved = [], 0
        for problem in builtin(name, 1, TINY.window).problems(Split.heldout, 12):
            encoded = encode(problem, codec, True, 256)
            batch = collate([encoded], codec.pad)
            output = titan(batch.tokens, batch.layout, batch.labels)
            chosen = batch.scored
            losses += torch.nn.functional.cross_entropy(
                output.logits[chosen], batch.targets[chosen], reduction="none"
            ).tolist()
            solved += bool((output.logits.argmax(-1) == batch.targets)[chosen].all())
            depth += int(output.depth.sum())
            tokens += int(batch.layout.real.sum())
        assert (task.dataset, task.problems) == (name, 12)
        assert task.loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)
        assert task.perplexity == pytest.approx(math.exp(task.loss))
        assert task.accuracy == solved / 12
    assert found.mean_depth == pytest.approx(depth / tokens)


def test_evaluation_is_deterministic_and_changes_nothing(evaluator: Evaluator) -> None:
    tensors = weights()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    first = evaluator.evaluate(tensors, "selection")
    other = evaluator.evaluate(weights(seed=5), "selection")
    assert evaluator.evaluate(tensors, "selection") == first
    assert Evaluator(TINY, SET, SET).evaluate(tensors, "selection") == first
    assert other != first
    assert all(torch.equal(tensors[name], before[name]) for name in tensors)
    assert evaluator.evaluate(tensors, "heldout") != first


def test_broken_weights_still_give_finite_scores(evaluator: Evaluator) -> None:
    tensors = {name: tensor * 1000 for name, tensor in weights().items()}
    for task in evaluator.evaluate(tensors, "selection").tasks:
        assert math.isfinite(task.loss)
        assert math.isfinite(task.perplexity)


def test_deeper_thinking_costs_more_flops(evaluator: Evaluator) -> None:
    deep = evaluator.evaluate(weights(halting=-8.0), "selection")
    shallow = evaluator.evaluate(weights(halting=8.0), "selection")
    assert deep.mean_depth > 2.8
    assert shallow.mean_depth < 1.5
    assert shallow.flops_per_token < deep.flops_per_token


def test_fisher_is_the_mean_squared_gradient(evaluator: Evaluator) -> None:
    tensors = weights()
    calibration = json.loads(json.dumps(evaluator.calibration)) | {"datasets": ["arithmetic"], "problems": 3}
    found = evaluator.fisher(tensors, calibration)
    assert {name: tuple(t.shape) for name, t in found.items()} == tensor_shapes(TINY)
    codec, expected = ByteTokenizer(), 0.0
    for problem in builtin("arithmetic", 1, TINY.window).problems(Split.train, 3):
        batch = collate([encode(problem, codec, True, 256)], codec.pad)
        titan = TinyTitanModel(TINY).bind({n: t.clone() for n, t in tensors.items()}).requires_grad_()
        output = titan(batch.tokens, batch.layout, batch.labels)
        torch.nn.functional.cross_entropy(output.logits, batch.targets).backward()
        gradient = titan.output_layer.weight.grad
        assert gradient is not None
        expected = expected + gradient**2 / 3
    torch.testing.assert_close(found["output_layer.weight"], expected, rtol=1e-3, atol=1e-8)
    assert not found["memory_gate.weight"].any()  # arithmetic is shorter than the window
    threads = torch.get_num_threads()
    assert torch.equal(evaluator.fisher(tensors, calibration)["embedding.weight"], found["embedding.weight"])
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("halting", [-8.0, -1.0, 1.0])
def test_grams_are_of_what_each_matrix_reads(evaluator: Evaluator, halting: float) -> None:
    """Against the inputs of all modules where every token is computed, of which those are taken that count."""
    tensors = weights(halting=halting)
    calibration = dict(evaluator.calibration) | {"datasets": ["arithmetic", "recall"], "problems": 3}
    found = evaluator.grams(tensors, calibration)
    titan, inputs = TinyTitanModel(TINY).bind(tensors).requires_grad_(False), dict[str, list[torch.Tensor]]()
    for name, module in titan.named_modules():
        if isinstance(module, torch.nn.Linear):
            inputs[name] = []
            module.register_forward_pre_hook(lambda _, args, name=name: inputs[name].append(args[0]))
    expected = {f"{name}.weight": torch.zeros(()) for name in inputs if name != "act_halting"}

    def add(name: str, x: torch.Tensor) -> None:
        expected[f"{name}.weight"] = expected[f"{name}.weight"] + x.T.double() @ x.double()

    codec = ByteTokenizer()
    for dataset in ("arithmetic", "recall"):
        for problem in builtin(dataset, 1, TINY.window).problems(Split.train, 3):
            batch = collate([encode(problem, codec, True, 256)], codec.pad)
            for read in inputs.values():
                read.clear()
            depth = titan(batch.tokens, batch.layout, batch.labels, skip=False).depth
            remembers = len(batch.tokens) > TINY.window
            wanted = torch.zeros_like(batch.layout.real)
            wanted[batch.labels] = True
            for layer in range(TINY.n_layers):
                active = (depth > layer) & (wanted if layer == TINY.n_layers - 1 else batch.layout.real)
                if not active.any():
                    break
                taken = {"self_attn.in_proj": batch.layout.real, "self_attn.out_proj": active}
                for part, rows in (taken | {"linear1": active, "linear2": active}).items():
                    name = f"transformer_blocks.{layer}.{part}"
                    add(name, inputs[name][0][rows])
                if remembers:
                    add("memory_gate", inputs["memory_gate"][layer][active])
            add("output_layer", inputs["output_layer"][0])
    assert found.keys() == expected.keys()
    for name, gram in found.items():
        torch.testing.assert_close(gram, expected[name].expand_as(gram), rtol=1e-4, atol=1e-4)


def test_grams_change_with_neither_threads_nor_shared_memory(evaluator: Evaluator) -> None:
    """Blocks of a stack may be one tensor."""
    tensors, calibration = stacked(weights(), 5), dict(evaluator.calibration) | {"problems": 2}
    found = evaluator.grams(tensors, calibration)
    torch.set_num_threads(2)
    again = evaluator.grams({name: tensor.clone() for name, tensor in tensors.items()}, calibration)
    assert found.keys() == again.keys()
    assert all(torch.equal(gram, again[name]) for name, gram in found.items())
    assert torch.get_num_threads() == 2


def stacked(tensors: dict[str, torch.Tensor], depth: int) -> dict[str, torch.Tensor]:
    """Its blocks over and over, to another depth."""
    arch = TINY.model_copy(update={"n_layers": depth})
    out = {}
    for name in tensor_shapes(arch):
        block = block_of(name)
        out[name] = tensors[f"transformer_blocks.{block[0] % TINY.n_layers}.{block[1]}" if block else name]
    return out


@pytest.mark.parametrize("depth", [1, 4, 32])
def test_a_stack_of_blocks_is_evaluated_as_what_it_is(evaluator: Evaluator, depth: int) -> None:
    arch, stack = TINY.model_copy(update={"n_layers": depth}), stacked(weights(halting=-8.0), depth)
    found = evaluator.evaluate(stack, "selection")
    assert found == Evaluator(arch, SET, SET).evaluate(stack, "selection")
    assert min(depth - 0.5, 16) < found.mean_depth <= depth
    assert found.flops_per_token == flops_per_token(arch, found.mean_depth)
    calibration = dict(evaluator.calibration) | {"datasets": ["parity"], "problems": 1}
    measured = evaluator.fisher(stack, calibration)
    assert {name: tuple(tensor.shape) for name, tensor in measured.items()} == tensor_shapes(arch)
    assert evaluator.evaluate(weights(), "selection") == Evaluator(TINY, SET, SET).evaluate(weights(), "selection")


def test_tensors_of_another_architecture_are_refused(evaluator: Evaluator) -> None:
    gap = {name.replace("blocks.2.", "blocks.7."): tensor for name, tensor in weights().items()}
    wide = weights() | {"act_halting.weight": torch.zeros(1, 5)}
    for wrong in (gap, wide, {"layer.weight": torch.zeros(2)}):
        with pytest.raises(RuntimeError):
            evaluator.evaluate(wrong, "selection")


@pytest.mark.parametrize("halting", [-1.0, 1.0, -8.0])
def test_a_prediction_tells_what_the_model_did(halting: float) -> None:
    """Against one pass over the whole text, without skipping: causality makes it the same, token by token."""
    tensors, prompt = weights(halting=halting), "what follows this?"
    told, ended = predicted(tensors, prompt, 6)
    assert (told, ended.answer) == (lambda again: (again[0], again[1].answer))(predicted(tensors, prompt, 6))
    titan = TinyTitanModel(TINY).bind(tensors).requires_grad_(False)
    ids, chosen = list(prompt.encode()), list[int]()
    for _ in told:
        text = [*ids, *chosen]
        batch = collate([Encoded(text, [len(text) - 1], [0], [True])], 256)
        chosen.append(int(titan(batch.tokens, batch.layout, batch.labels, skip=False).logits[0].argmax()))
    assert ended.answer == ByteTokenizer().decode(chosen)
    text = [*ids, *chosen[:-1]]
    places = list(range(len(ids) - 1, len(text)))
    batch = collate([Encoded(text, places, [0] * len(places), [True] * len(places))], 256)
    output = titan(batch.tokens, batch.layout, batch.labels, skip=False, with_gate=True)
    probabilities = output.logits.softmax(-1)
    assert [token.depth for token in told] == [float(output.depth[place]) for place in places]
    assert [token.probability for token in told] == pytest.approx(
        [float(row[token]) for row, token in zip(probabilities, chosen, strict=True)], rel=1e-4
    )
    assert output.gate is not None
    assert [token.memory_gate for token in told] == pytest.approx(
        [float(output.gate[place]) for place in places], rel=1e-4
    )


def test_answers_to_blocks_are_the_answers_to_all(evaluator: Evaluator) -> None:
    tensors = weights()
    whole = evaluator.answers(tensors, "selection")
    parts = [evaluator.answers(tensors, "selection", start, start + 4) for start in (0, 4, 8)]
    joined = parts[0].joined(parts[1]).joined(parts[2])
    assert len(joined) == len(whole) == 36
    for index in range(3):
        one, other = [each.losses[each.dataset == index] for each in (whole, joined)]
        assert one == pytest.approx(other, rel=1e-4)
    assert joined.scores().tasks[0].accuracy == whole.scores().tasks[0].accuracy
    assert joined.scores().mean_depth == pytest.approx(whole.scores().mean_depth)


def test_there_are_problems_beyond_the_fixed_ones(evaluator: Evaluator) -> None:
    recall = builtin("recall", 1, TINY.window)
    more = recall.problems(Split.selection, evaluator.problems + 6)
    assert more[:-6] == recall.problems(Split.selection, evaluator.problems)
    found = evaluator.answers(weights(), "selection", evaluator.problems, evaluator.problems + 6).scores()
    # so few digits make few sums
    assert [task.problems for task in found.tasks] == [5, 6, 6]


def test_the_gradient_is_that_of_training_problems(evaluator: Evaluator) -> None:
    """Beside differences along one direction; every step has problems of its own, always the same."""
    tensors = weights()
    first = evaluator.gradient(tensors, 1, 0, 4, 0.1)
    again, other = (evaluator.gradient(tensors, 1, step, 4, 0.1) for step in (0, 1))
    assert first.keys() == tensors.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    moved = {name: tensor - 0.05 * first[name] for name, tensor in tensors.items()}
    # one step down makes the slope along it smaller, as it must near a minimum and nowhere near a maximum
    later = evaluator.gradient(moved, 1, 0, 4, 0.1)
    slope = sum(float((first[name] * later[name]).sum()) for name in first)
    assert slope < sum(float((gradient**2).sum()) for gradient in first.values())
