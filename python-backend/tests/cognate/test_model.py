from __future__ import annotations

import pytest
import torch
from tiny import TINY, logits, model, rows, weights

from agent_forge.cognate.initialization import draw_all
from agent_forge.cognate.model import TinyTitanModel
from agent_forge.contract.architecture import ARCHITECTURES, Preset, tensor_shapes

TEXT = "the quick brown fox jumps over it"  # 33 tokens: four windows and one


@pytest.mark.parametrize(
    ("preset", "count"), [(Preset.nano, 877_577), (Preset.tinytitan, 58_282_241), (Preset.wide, 134_539_346)]
)
def test_parameter_counts(preset: Preset, count: int) -> None:
    titan = TinyTitanModel(ARCHITECTURES[preset])
    assert sum(p.numel() for p in titan.parameters()) == count
    assert {n: tuple(t.shape) for n, t in titan.state_dict().items()} == tensor_shapes(ARCHITECTURES[preset])


def test_the_future_changes_nothing() -> None:
    titan = model()
    before = logits(titan, TEXT)
    for place in (1, 8, 9, 20, 32):
        changed = TEXT[:place] + "#" + TEXT[place + 1 :]
        after = logits(titan, changed)
        torch.testing.assert_close(after[:place], before[:place], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(after[place], before[place], atol=1e-3)


def test_one_block_without_memory_sees_the_window_alone() -> None:
    arch = TINY.model_copy(update={"n_layers": 1})
    titan = model(arch)
    changed = "#" + TEXT[1:]
    a, b = logits(titan, TEXT, memory=False), logits(titan, changed, memory=False)
    # The key at j holds its predecessor too: token 0 reaches one further than the window.
    reach = arch.window + 1
    assert not torch.allclose(a[reach - 1], b[reach - 1], atol=1e-4)
    torch.testing.assert_close(a[reach:], b[reach:], rtol=1e-4, atol=1e-5)
    a, b = logits(titan, TEXT), logits(titan, changed)
    assert not torch.allclose(a[reach:], b[reach:], atol=1e-4)


def test_memory_reads_only_what_is_older_than_the_window() -> None:
    titan = model()
    short = TEXT[: TINY.window]
    assert torch.equal(logits(titan, short), logits(titan, short, memory=False))
    long, ablated = logits(titan, TEXT), logits(titan, TEXT, memory=False)
    torch.testing.assert_close(long[: TINY.window], ablated[: TINY.window], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(long[TINY.window :], ablated[TINY.window :], atol=1e-3)


@pytest.mark.parametrize("halting", [-3.0, -1.0, 0.0, 1.0, 8.0])
def test_skipping_halted_tokens_equals_computing_and_masking_them(halting: float) -> None:
    titan = model(halting=halting)
    batch = rows(TEXT, "a short one", "another that is longer than both of these")
    fast = titan(batch.tokens, batch.layout, batch.labels)
    full = titan(batch.tokens, batch.layout, batch.labels, skip=False)
    torch.testing.assert_close(fast.logits, full.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fast.ponder, full.ponder, rtol=1e-4, atol=1e-5)
    assert torch.equal(fast.depth, full.depth)


def test_halted_tokens_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    titan = model(halting=0.0)
    rows_of: list[int] = []
    for block in titan.transformer_blocks:
        block.linear1.register_forward_hook(lambda m, inputs, output: rows_of.append(inputs[0].shape[0]))
    batch = rows(TEXT)
    output = titan(batch.tokens, batch.layout, batch.labels)
    real = int(batch.layout.real.sum())
    computed = [int((output.depth >= n).sum()) for n in range(1, TINY.n_layers + 1)]
    assert computed[0] == real
    assert computed[1] < real
    # Above the threshold where gathering pays, padding and halted tokens are computed and masked.
    assert all(done in (wanted, len(batch.tokens)) for done, wanted in zip(rows_of, computed, strict=False))
    assert sum(rows_of) < len(batch.tokens) * TINY.n_layers


def test_rows_do_not_see_each_other() -> None:
    titan = model()
    alone = logits(titan, TEXT)
    batch = rows("something else before", TEXT, "and after it, longer than the text itself is")
    together = titan(batch.tokens, batch.layout, batch.labels).logits[batch.problems == 1]
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_gate_opens_between_zero_and_one() -> None:
    titan = model()
    batch = rows(TEXT)
    gate = titan(batch.tokens, batch.layout, batch.labels, with_gate=True).gate
    assert gate is not None
    assert bool(((gate > 0) & (gate < 1))[batch.layout.real].all())


def test_wrong_tensors_are_refused() -> None:
    tensors = weights()
    with pytest.raises(RuntimeError, match="Missing key"):
        TinyTitanModel(TINY).bind({name: t for name, t in tensors.items() if name != "output_layer.bias"})
    with pytest.raises(RuntimeError, match="size mismatch"):
        TinyTitanModel(TINY).bind(tensors | {"memory_gate.bias": torch.zeros(3)})
    with pytest.raises(ValueError, match="no even multiple"):
        TinyTitanModel(TINY.model_copy(update={"n_heads": 5}))


def test_drawing_depends_on_seed_and_name_alone() -> None:
    torch.manual_seed(1)
    first = draw_all(TINY, 7)
    torch.manual_seed(2)
    torch.randn(10)
    again = draw_all(TINY, 7)
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = draw_all(TINY, 8)
    same = {name for name in first if torch.equal(first[name], other[name])}
    assert same == {name for name in first if first[name].dim() == 1}
    names = ("transformer_blocks.0.linear1.weight", "transformer_blocks.1.linear1.weight")
    assert not torch.equal(first[names[0]], first[names[1]])
