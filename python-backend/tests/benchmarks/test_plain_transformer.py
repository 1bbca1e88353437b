from __future__ import annotations

import pytest
import torch

from agent_forge.cognate.batch import Encoded, collate
from agent_forge.cognate.bench import TrainingBench
from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.presets import resolve
from agent_forge.contract.architecture import ARCHITECTURES, Preset, TinyTitan
from agent_forge.contract.cognate import CognateConfig
from benchmarks._peers import Trained, peers, train
from benchmarks._plain_transformer import PlainTransformer, first_weights, matched, surplus

TINY = TinyTitan(preset=Preset.nano, vocab_size=264, d_model=32, n_layers=3, n_heads=2, d_ff=64, window=8)


def logits(*texts: str) -> list[torch.Tensor]:
    """Of every position of every text, in one batch."""
    arch = matched(TINY)
    model = PlainTransformer(arch).bind(first_weights(arch, 1)).requires_grad_(False)
    encoded = [Encoded(list(t.encode()), list(range(len(t))), [65] * len(t), [True] * len(t)) for t in texts]
    batch = collate(encoded, 256)
    found = model(batch.tokens, batch.layout, batch.labels).logits
    return [found[batch.problems == index] for index in range(len(texts))]


@pytest.mark.parametrize("preset", list(Preset))
def test_as_many_parameters_within_one_percent(preset: Preset) -> None:
    assert abs(surplus(ARCHITECTURES[preset])) < 0.01


def test_no_gate_no_halting_and_else_the_first_weights_of_a_tinytitan() -> None:
    arch = matched(TINY)
    plain, titan = first_weights(arch, 7), draw_all(TINY, 7)
    gone = {f"{module}.{kind}" for module in ("memory_gate", "act_halting") for kind in ("weight", "bias")}
    assert titan.keys() - plain.keys() == gone
    assert plain.keys() < titan.keys()
    same = {name for name, tensor in plain.items() if tensor.shape == titan[name].shape}
    assert all(torch.equal(plain[name], titan[name]) for name in same)
    assert {name.rsplit(".", 2)[1] for name in plain.keys() - same} == {"linear1", "linear2"}


def test_sees_the_whole_past_and_nothing_of_the_future() -> None:
    (one,), (other,), (longer,) = logits("a" + "x" * 30), logits("b" + "x" * 30), logits("a" + "x" * 30 + "yz")
    assert not torch.allclose(one[-1], other[-1], atol=1e-6)
    torch.testing.assert_close(one, longer[:31])


def test_a_problem_is_read_the_same_beside_others() -> None:
    alone, beside = logits("kQaB..,a"), logits("1011=", "kQaB..,a", "long " * 9)
    torch.testing.assert_close(alone[0], beside[1])


def test_both_see_the_same_tokens_and_training_repeats_itself() -> None:
    config = resolve(CognateConfig(device="cpu", precision="fp32", batch_tokens=128))
    mixture = TrainingBench(config, TINY, []).mixture(None, rehearses=False)

    def trained(which: int, seed: int) -> Trained:
        return train(peers(TINY)[which], config, mixture, stage="test", seed=seed, steps=3, ponder_cost=0.003)

    titan, plain, again, other = trained(0, 5), trained(1, 5), trained(1, 5), trained(1, 6)
    assert titan.tokens == plain.tokens != other.tokens
    first, second = plain.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert not torch.equal(first["output_layer.weight"], first_weights(matched(TINY), 5)["output_layer.weight"])
