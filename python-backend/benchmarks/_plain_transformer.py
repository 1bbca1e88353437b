"""What TinyTitan is compared with: a causal pre-norm transformer with rotary positions and full attention.

No window, no memory, no adaptive depth. Blocks, feed-forward, embedding, output and their first values are TinyTitan's;
the parameters of memory gate and halting go into a wider feed-forward layer.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from agent_forge.cognate.attention import rotate
from agent_forge.cognate.initialization import draw
from agent_forge.cognate.model import Dropout, Layout, Reading, TinyTitanModel, unit_rms
from agent_forge.contract.architecture import TinyTitan, parameter_count


class PlainTransformer(TinyTitanModel):
    """Bound, trained and evaluated as a TinyTitan is; `arch` as `matched` makes it, its window plays no part."""

    def __init__(self, arch: TinyTitan) -> None:
        super().__init__(arch)
        del self.act_halting, self.memory_gate

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
        """`memory` and `skip` change nothing here."""
        d, heads = self.arch.d_model, self.arch.n_heads
        x = F.embedding(tokens, self.embedding.weight)
        turn = self._rotation(layout.positions)
        for number, block in enumerate(self._blocks):
            q, k, v = block.self_attn.in_proj(block.norm1(x)).view(-1, 3, heads, d // heads).unbind(1)
            q, k = (rotate(each, *turn).to(v.dtype) for each in (q, k))
            mixed = _attention(q, k, v, layout)
            if number == self.arch.n_layers - 1:
                # As in TinyTitan: after the last block only the labels' states are read.
                x, mixed = x.index_select(0, labels), mixed.index_select(0, labels)
            attended = block.self_attn.out_proj(mixed)
            x = x + (attended if dropout is None else dropout(attended))
            fed = block.linear2(F.gelu(block.linear1(block.norm2(x))))
            x = x + (fed if dropout is None else dropout(fed))
        depth = layout.real.int() * self.arch.n_layers
        return Reading(unit_rms(x), x.new_zeros(tokens.shape[0]), depth, None)


def matched(arch: TinyTitan) -> TinyTitan:
    """With the feed-forward width that brings the transformer's parameters closest to those of a TinyTitan."""
    spare = arch.d_model**2 + 2 * arch.d_model + 1
    return arch.model_copy(update={"d_ff": arch.d_ff + round(spare / (arch.n_layers * (2 * arch.d_model + 1)))})


def first_weights(arch: TinyTitan, seed: int) -> dict[str, Tensor]:
    """Each tensor as TinyTitan's of the same seed and name."""
    tensors = {name: torch.empty(tensor.shape) for name, tensor in PlainTransformer(arch).state_dict().items()}
    for name, tensor in tensors.items():
        draw(tuple(tensor.shape), seed, name, tensor, arch.n_layers)
    return tensors


def surplus(arch: TinyTitan) -> float:
    """Parameters more than those of the TinyTitan that it is compared with, as a share."""
    plain = sum(tensor.numel() for tensor in PlainTransformer(matched(arch)).state_dict().values())
    return float(plain / parameter_count(arch) - 1)


def _attention(q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Tensor:
    """[N, heads, width] each → [N, heads · width]"""
    read: list[Tensor] = []
    start = 0
    for rows, length in layout.groups:
        here = slice(start, start + rows * length)
        start += rows * length
        grouped = [each[here].view(rows, length, *each.shape[1:]).transpose(1, 2) for each in (q, k, v)]
        seen = F.scaled_dot_product_attention(grouped[0], grouped[1], grouped[2], is_causal=True)
        read.append(seen.transpose(1, 2).reshape(rows * length, -1))
    return torch.cat(read)
