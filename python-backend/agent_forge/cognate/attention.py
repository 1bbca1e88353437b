"""Two ways to read the past, both causal and free of parameters: a window, and a memory of what is older.

Token i sees the keys i−window < j ≤ i through softmax attention, and j ≤ i−window through the memory:
every key is read by exactly one of the two. All functions take and return `[rows, heads, length, width]`.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

# Up to this many windows one square of scores costs less than the blocks of the linear-time form.
_DENSE_WINDOWS = 4
_EPSILON = 1e-4


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su 2021). `x` [tokens, heads, width], `cos` and `sin` [tokens, 1, width / 2]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def predecessors(x: Tensor, positions: Tensor) -> Tensor:
    """Each token's row taken from the token before it, zero at the start of a problem. `x` [tokens, …]."""
    shifted = torch.cat((torch.zeros_like(x[:1]), x[:-1]))
    return shifted * (positions > 0).to(x.dtype).view(-1, *[1] * (x.dim() - 1))


def half_predecessors(k: Tensor, before: Tensor) -> Tensor:
    """Keys whose slowly rotating half is the predecessor's: "what followed this?" takes one block instead of two.

    Pairs of dimensions that rotate together stay together, so scores still depend on distances alone.
    `k` and `before`, its predecessors, [tokens, heads, width].
    """
    n, heads, width = k.shape
    pairs, earlier = k.view(n, heads, 2, width // 2), before.view(n, heads, 2, width // 2)
    kept = width // 4
    return torch.cat((pairs[..., :kept], earlier[..., kept:]), dim=-1).view(n, heads, width)


def features(x: Tensor) -> Tensor:
    """φ: width → 2·width positive features, softmax of x and of −x (Zhang 2024, Hedgehog, without its matrix)."""
    x = x.float()
    return torch.cat((x.softmax(dim=-1), (-x).softmax(dim=-1)), dim=-1)


@lru_cache(maxsize=64)
def _band(length: int, window: int, device: torch.device) -> Tensor:
    i = torch.arange(length, device=device)
    distance = i[:, None] - i[None, :]
    return (distance >= 0) & (distance < window)


def window_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Softmax attention over the newest `window` tokens, the token itself included."""
    if q.requires_grad and q.device.type == "cpu" and q.dtype == torch.bfloat16:
        # The CPU kernel's backward pass over a hundred short rows takes ten times as long in bf16 as in fp32.
        with torch.autocast("cpu", enabled=False):
            return window_attention(q.float(), k.float(), v.float(), window).to(q.dtype)
    length = q.shape[2]
    if length <= window:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    if length <= _DENSE_WINDOWS * window:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=_band(length, window, q.device))
    return _blocked_window_attention(q, k, v, window)


def _blocked_window_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Blocks of `window` queries against their own and the previous block's keys: linear in the length."""
    rows, heads, length, width = q.shape
    blocks = -(-length // window)
    pad = blocks * window - length
    # One empty block in front stands for what precedes the first; the mask hides it.
    q = F.pad(q, (0, 0, 0, pad)).view(rows, heads, blocks, window, width)
    k = F.pad(k, (0, 0, window, pad)).unfold(2, 2 * window, window).transpose(-1, -2)
    v = F.pad(v, (0, 0, window, pad)).unfold(2, 2 * window, window).transpose(-1, -2)
    mask = _block_mask(blocks, window, q.device)
    out = F.scaled_dot_product_attention(
        q.reshape(rows * heads, blocks, window, width),
        k.reshape(rows * heads, blocks, 2 * window, width),
        v.reshape(rows * heads, blocks, 2 * window, width),
        attn_mask=mask,
    )
    return out.reshape(rows, heads, blocks * window, width)[:, :, :length]


@lru_cache(maxsize=64)
def _block_mask(blocks: int, window: int, device: torch.device) -> Tensor:
    """[1, blocks, window, 2·window]"""
    i = torch.arange(window, device=device)[:, None] + window
    j = torch.arange(2 * window, device=device)[None, :]
    mask = ((i - j >= 0) & (i - j < window)).expand(blocks, window, 2 * window).clone()
    mask[0, :, :window] = False
    return mask[None]


def memory_read(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Normalised linear attention over keys older than the window (Katharopoulos 2020), by their features: an
    associative memory. Float32 results, zero where nothing is older.
    """
    length = v.shape[2]
    if length <= _DENSE_WINDOWS * window:
        return _dense_memory_read(q, k, v, window)
    return _recurrent_memory_read(features(q), features(k), v, window)


def _dense_memory_read(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    older = v.shape[2] - window
    if older <= 0:
        return torch.zeros_like(v, dtype=torch.float32)
    # only the newest queries read through the memory, and only the oldest keys are read
    scores = (features(q[:, :, window:]) @ features(k[:, :, :older]).transpose(-1, -2)).float().tril()
    read = scores @ v[:, :, :older].float() / (scores.sum(dim=-1, keepdim=True) + _EPSILON)
    return F.pad(read, (0, 0, window, 0))


def _recurrent_memory_read(fq: Tensor, fk: Tensor, v: Tensor, window: int) -> Tensor:
    """A state Σ φ(k)ᵀ[v, 1] carried from block to block, plus the older half of the previous block: linear time."""
    rows, heads, length, width = v.shape
    blocks = -(-length // window)
    pad = blocks * window - length

    def split(x: Tensor) -> Tensor:
        return F.pad(x.float(), (0, 0, 0, pad)).view(rows, heads, blocks, window, x.shape[-1])

    fq, fk = split(fq), split(fk)
    # A column of ones next to the values carries the normaliser; in the padding it stays one, but is never read.
    v1 = split(F.pad(v.float(), (0, 1), value=1.0))
    written = fk.transpose(-1, -2) @ v1
    state = F.pad(written.cumsum(dim=2), (0, 0, 0, 0, 2, 0))[:, :, :blocks]
    previous = F.pad((fq[:, :, 1:] @ fk[:, :, :-1].transpose(-1, -2)).tril() @ v1[:, :, :-1], (0, 0, 0, 0, 1, 0))
    summed = (fq @ state + previous).view(rows, heads, blocks * window, width + 1)[:, :, :length]
    return summed[..., :width] / (summed[..., width:] + _EPSILON)
