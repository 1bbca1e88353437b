"""TinyTitan: a causal transformer with a sliding window, a gated memory and adaptive depth per token.

The memory is linear attention over one problem's own tokens: nothing is learnt at test time, unlike in Titans
(Behrouz et al. 2024, arXiv:2501.00663), whose memory is a network that is trained as it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..contract.architecture import TinyTitan, tensor_shapes
from .attention import half_predecessors, memory_read, predecessors, rotate, window_attention
from .halting import Halting

# Gathering rows costs copies: below this share of active tokens it pays.
_GATHER_BELOW = 0.85
_ROTARY_BASE = 10_000.0


@dataclass(frozen=True)
class Layout:
    """Rows of equal length, group by group, laid end to end: tokens [N] with N = Σ rows·length.

    Everything but attention works on the flat tokens, so that problems of different lengths share each matrix
    product with little padding; padding stands at the end of a row, where causality hides it.
    """

    groups: tuple[tuple[int, int], ...]
    """(rows, length)"""
    positions: Tensor
    """Place of each token in its row, int64 [N]."""
    real: Tensor
    """False for padding, bool [N]."""


@dataclass(frozen=True)
class Reading:
    """What a model makes of tokens, before the output layer."""

    states: Tensor
    """What the output layer answers from, float [labels, d]"""
    ponder: Tensor
    """N + R (Graves 2016) per token, padding 0, float [N]"""
    depth: Tensor
    """Blocks passed per token, padding 0, int [N]"""
    gate: Tensor | None
    """Mean opening of the memory gate over the blocks that a token passed, float [N]; where asked for."""


@dataclass(frozen=True)
class Output(Reading):
    logits: Tensor
    """[labels, vocabulary], float32 or the autocast type"""


@dataclass(frozen=True)
class Dropout:
    """Dropout from a generator of its own, so that no global random state takes part."""

    rate: float
    generator: torch.Generator

    def __call__(self, x: Tensor) -> Tensor:
        keep = torch.empty_like(x).bernoulli_(1 - self.rate, generator=self.generator)
        return x * keep / (1 - self.rate)


def unit_rms(x: Tensor) -> Tensor:
    """Root-mean-square norm without parameters: the readers of the residual stream see one scale at any depth."""
    return F.rms_norm(x.float(), (x.shape[-1],))


class SelfAttention(nn.Module):
    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(d_model, 3 * d_model)
        self.out_proj = nn.Linear(d_model, d_model)


class Block(nn.Module):
    """Holds parameters; `TinyTitanModel` computes, since the memory gate is shared between blocks."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(d_model)
        self.linear1 = nn.Linear(d_model, d_ff)
        self.linear2 = nn.Linear(d_ff, d_model)
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)


class TinyTitanModel(nn.Module):
    """`state_dict` names and shapes are exactly those of `tensor_shapes(arch)`; parameters are float32.

    Built on the meta device: load tensors with `bind`, which copies nothing. gather_below: share of active tokens below
    which they alone are computed. Raises ValueError where the width is no even multiple of the heads.
    """

    def __init__(self, arch: TinyTitan, *, gather_below: float = _GATHER_BELOW) -> None:
        super().__init__()
        if arch.d_model % (2 * arch.n_heads):
            raise ValueError(f"d_model {arch.d_model} is no even multiple of n_heads {arch.n_heads}")
        self.arch = arch
        self._gather_below = gather_below
        with torch.device("meta"):
            self.embedding = nn.Embedding(arch.vocab_size, arch.d_model)
            self._blocks = [Block(arch.d_model, arch.d_ff) for _ in range(arch.n_layers)]
            self.transformer_blocks = nn.ModuleList(self._blocks)
            self.act_halting = nn.Linear(arch.d_model, 1)
            self.memory_gate = nn.Linear(arch.d_model, arch.d_model)
            self.output_layer = nn.Linear(arch.d_model, arch.vocab_size)
        shapes = {name: tuple(tensor.shape) for name, tensor in self.state_dict().items()}
        if shapes != tensor_shapes(arch):
            raise AssertionError("the module's tensors are not those of the contract")

    def bind(self, tensors: Mapping[str, Tensor]) -> TinyTitanModel:
        """Use these tensors as the parameters, without a copy. Raises RuntimeError on a wrong name or shape."""
        self.load_state_dict(dict(tensors), strict=True, assign=True)
        return self

    def forward(
        self,
        tokens: Tensor,
        layout: Layout,
        labels: Tensor,
        *,
        memory: bool = True,
        skip: bool = True,
        dropout: Dropout | None = None,
        with_gate: bool = False,
    ) -> Output:
        """`read`, and logits."""
        found = self.read(tokens, layout, labels, memory=memory, skip=skip, dropout=dropout, with_gate=with_gate)
        return Output(**vars(found), logits=self.output_layer(found.states))

    def read(
        self,
        tokens: Tensor,
        layout: Layout,
        labels: Tensor,
        *,
        memory: bool = True,
        skip: bool = True,
        dropout: Dropout | None = None,
        with_gate: bool = False,
    ) -> Reading:
        """States at the flat positions `labels` [M] of `tokens` [N].

        `memory=False` reads nothing older than the window (an ablation). `skip=False` computes every token in every
        block and masks the result instead: the same numbers, for comparison.
        """
        x = F.embedding(tokens, self.embedding.weight)
        turn = self._rotation(layout.positions)
        halting = Halting.start(layout.real, self.arch.d_model)
        wanted = torch.zeros_like(layout.real)
        wanted[labels] = True
        gate_sum = torch.zeros(tokens.shape[0], device=tokens.device) if with_gate else None
        for number, block in enumerate(self._blocks):
            last = number == self.arch.n_layers - 1
            # After the last block only the labels' states are read, and all halting there is forced.
            rows = halting.active & wanted if last and not with_gate else halting.active
            share = float(rows.count_nonzero()) / rows.shape[0]
            if skip and share == 0.0:
                halting.advance(halting.spent, x, last)
                break
            chosen = rows.nonzero().squeeze(1) if skip and share < self._gather_below else None
            new, gate = self._block(block, x, chosen, layout, turn, memory=memory, dropout=dropout)
            if chosen is not None:
                x = x.index_copy(0, chosen, new)
            elif share == 1.0:
                x = new
            else:
                x = torch.where(rows[:, None], new, x)
            if gate_sum is not None:
                opening = gate.detach().float().mean(dim=-1)
                if chosen is None:
                    gate_sum += opening * halting.active
                else:
                    gate_sum[chosen] += opening
            probability = torch.sigmoid(
                F.linear(unit_rms(x), self.act_halting.weight, self.act_halting.bias).float().squeeze(1)
            )
            halting.advance(probability, x, last)
        states = unit_rms(halting.mean_state.index_select(0, labels))
        if gate_sum is not None:
            gate_sum = gate_sum / halting.depth.clamp(min=1)
        return Reading(states, halting.ponder() * layout.real, halting.depth, gate_sum)

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        half = self.arch.d_model // self.arch.n_heads // 2
        frequency = _ROTARY_BASE ** (-torch.arange(half, device=positions.device, dtype=torch.float32) / half)
        angle = positions[:, None].float() * frequency
        return angle.cos()[:, None], angle.sin()[:, None]

    def _block(
        self,
        block: Block,
        x: Tensor,
        chosen: Tensor | None,
        layout: Layout,
        turn: tuple[Tensor, Tensor],
        *,
        memory: bool,
        dropout: Dropout | None,
    ) -> tuple[Tensor, Tensor]:
        """New states and gates of the chosen rows (all of them where `chosen` is None).

        Keys and values come from every token, halted ones with their last state; the rest from the chosen alone.
        """
        d, heads = self.arch.d_model, self.arch.n_heads
        n = x.shape[0]
        h = block.norm1(x)
        project = block.self_attn.in_proj
        if chosen is None:
            mine, inner = x, h
            q, k, v = project(h).view(n, 3, heads, d // heads).unbind(1)
        else:
            mine, inner = x.index_select(0, chosen), h.index_select(0, chosen)
            q_rows = F.linear(inner, project.weight[:d], project.bias[:d])
            q = q_rows.new_zeros(n, d).index_copy(0, chosen, q_rows).view(n, heads, d // heads)
            k, v = F.linear(h, project.weight[d:], project.bias[d:]).view(n, 2, heads, d // heads).unbind(1)
        local, remembered = self._read(q, k, v, layout, turn, memory=memory)
        gate = torch.sigmoid(self.memory_gate(inner))
        if chosen is not None:
            local = local.index_select(0, chosen)
            remembered = None if remembered is None else remembered.index_select(0, chosen)
        read = local if remembered is None else local + gate * remembered
        attended = block.self_attn.out_proj(read)
        mine = mine + (attended if dropout is None else dropout(attended))
        fed = block.linear2(F.gelu(block.linear1(block.norm2(mine))))
        return mine + (fed if dropout is None else dropout(fed)), gate

    def _read(
        self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, turn: tuple[Tensor, Tensor], *, memory: bool
    ) -> tuple[Tensor, Tensor | None]:
        """What the window and the memory give, each [N, d]; the memory is None where no row is longer than a window."""
        window = self.arch.window
        before = predecessors(k, layout.positions)
        turned_q = rotate(q, *turn).to(v.dtype)
        turned_k = rotate(half_predecessors(k, before), *turn).to(v.dtype)
        older = memory and any(length > window for _, length in layout.groups)
        local: list[Tensor] = []
        remembered: list[Tensor] = []
        start = 0
        for rows, length in layout.groups:
            here = slice(start, start + rows * length)
            start += rows * length

            def grouped(t: Tensor, here: slice = here, rows: int = rows, length: int = length) -> Tensor:
                return t[here].view(rows, length, t.shape[1], t.shape[2]).transpose(1, 2)

            value = grouped(v)
            local.append(_flat(window_attention(grouped(turned_q), grouped(turned_k), value, window)))
            if older and length > window:
                # The memory associates each value with the token before it, without positions: what followed a
                # token is found by content at any distance.
                remembered.append(_flat(memory_read(grouped(q), grouped(before), value, window)).to(v.dtype))
            elif older:
                remembered.append(torch.zeros_like(local[-1]))
        return torch.cat(local), torch.cat(remembered) if older else None


def _flat(x: Tensor) -> Tensor:
    """[rows, heads, length, width] → [rows · length, heads · width]"""
    return x.transpose(1, 2).reshape(x.shape[0] * x.shape[2], -1)
