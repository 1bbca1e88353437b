"""What a model is, as numbers: the TinyTitan family with its presets and sizes, and any causal LM. Free of torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .base import Count, Resource

MAX_LAYERS = 128
_BLOCK = re.compile(r"transformer_blocks\.(0|[1-9][0-9]{0,3})\.(.+)", re.DOTALL)


class Preset(StrEnum):
    nano = "nano"
    tinytitan = "tinytitan"
    wide = "wide"


class TinyTitan(Resource):
    """Everything that fixes the shape of a TinyTitan's tensors, and how it reads them."""

    kind: Literal["tinytitan"] = "tinytitan"
    preset: Preset
    vocab_size: int = Field(ge=2)
    d_model: int = Field(ge=1, description="width of the residual stream")
    n_layers: int = Field(ge=1, le=MAX_LAYERS, description="transformer blocks")
    n_heads: int = Field(ge=1)
    d_ff: int = Field(ge=1, description="width of the feed-forward layer")
    window: int = Field(ge=1, description="sliding attention window, tokens; what is older is read from memory")

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        # Rotary positions turn the channels of a head in pairs.
        if self.d_model % (2 * self.n_heads):
            raise ValueError(f"d_model {self.d_model} is no even multiple of n_heads {self.n_heads}")
        return self


class CausalLM(Resource):
    """A causal language model of the Hugging Face kind, as its own `config.json` describes it."""

    kind: Literal["causal_lm"] = "causal_lm"
    model_type: str = Field(max_length=64, description="the family, as transformers names it: llama, gpt2, …")
    config: dict[str, Any]
    """Contents of `config.json`, as they came."""
    layers: Count
    """Numbered decoder layers, counted in the tensors."""
    vocab_size: int = Field(ge=1, description="rows of the embedding, which may be more than the tokenizer has tokens")
    tied: bool
    """Whether the head is the embedding, so that the files hold it once."""
    dtype: str
    """Of most parameters, as safetensors names it: BF16, F32, …"""


def _as_before_the_union(value: Any) -> Any:
    """Rows, recipes and file headers of the time when there were TinyTitans alone name no kind."""
    if isinstance(value, Mapping) and "kind" not in value:
        return {"kind": "tinytitan", **value}
    return value


Architecture = Annotated[
    Annotated[TinyTitan | CausalLM, Field(discriminator="kind")], BeforeValidator(_as_before_the_union)
]


class ModuleParameters(Resource):
    module: str
    shape: str
    """E.g. `32000x512`; several tensors are joined with ` + `."""
    parameters: Count


ARCHITECTURES: dict[Preset, TinyTitan] = {
    Preset.nano: TinyTitan(preset=Preset.nano, vocab_size=264, d_model=128, n_layers=4, n_heads=4, d_ff=512, window=32),
    Preset.tinytitan: TinyTitan(
        preset=Preset.tinytitan, vocab_size=32000, d_model=512, n_layers=8, n_heads=8, d_ff=2048, window=128
    ),
    Preset.wide: TinyTitan(
        preset=Preset.wide, vocab_size=50257, d_model=768, n_layers=8, n_heads=12, d_ff=3072, window=128
    ),
}


def tensor_shapes(arch: TinyTitan) -> dict[str, tuple[int, ...]]:
    """Name → shape of every parameter, in `state_dict` order. All are float32."""
    d, ff, vocab = arch.d_model, arch.d_ff, arch.vocab_size
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (vocab, d)}
    for layer in range(arch.n_layers):
        block = f"transformer_blocks.{layer}"
        shapes |= {
            f"{block}.self_attn.in_proj.weight": (3 * d, d),
            f"{block}.self_attn.in_proj.bias": (3 * d,),
            f"{block}.self_attn.out_proj.weight": (d, d),
            f"{block}.self_attn.out_proj.bias": (d,),
            f"{block}.linear1.weight": (ff, d),
            f"{block}.linear1.bias": (ff,),
            f"{block}.linear2.weight": (d, ff),
            f"{block}.linear2.bias": (d,),
            f"{block}.norm1.weight": (d,),
            f"{block}.norm1.bias": (d,),
            f"{block}.norm2.weight": (d,),
            f"{block}.norm2.bias": (d,),
        }
    return shapes | {
        "act_halting.weight": (1, d),
        "act_halting.bias": (1,),
        "memory_gate.weight": (d, d),
        "memory_gate.bias": (d,),
        "output_layer.weight": (vocab, d),
        "output_layer.bias": (vocab,),
    }


def block_of(name: str) -> tuple[int, str] | None:
    """(index, rest of the name) of a block's tensor; None for every other tensor."""
    found = _BLOCK.fullmatch(name)
    return (int(found[1]), found[2]) if found else None


def depth_of(names: Iterable[str]) -> int:
    """Number of blocks, counted to the highest."""
    return max((block[0] + 1 for block in map(block_of, names) if block), default=0)


def fitted(arch: TinyTitan, shapes: Mapping[str, tuple[int, ...]]) -> TinyTitan | None:
    """The architecture with as many blocks as there are: stacks of blocks are merges too.

    None where tensors of these names and shapes are of another architecture altogether.
    """
    depth = depth_of(shapes)
    if not 1 <= depth <= MAX_LAYERS:
        return None
    found = arch.model_copy(update={"n_layers": depth})
    return found if tensor_shapes(found) == shapes else None


def module_of(tensor: str) -> str:
    """The module that a tensor is counted under: `transformer_blocks.3.linear1`, `embedding`, …"""
    return tensor.rsplit(".", 1)[0]


def parameter_table(shapes: dict[str, tuple[int, ...]]) -> list[ModuleParameters]:
    """Parameters by module, in file order."""
    rows: dict[str, tuple[list[str], int]] = {}
    for name, shape in shapes.items():
        texts, count = rows.get(module_of(name), ([], 0))
        size = 1
        for side in shape:
            size *= side
        rows[module_of(name)] = ([*texts, "x".join(map(str, shape))], count + size)
    return [
        ModuleParameters(module=module, shape=" + ".join(texts), parameters=count)
        for module, (texts, count) in rows.items()
    ]


def parameter_count(arch: TinyTitan) -> int:
    return sum(row.parameters for row in parameter_table(tensor_shapes(arch)))


class PresetInfo(Resource):
    """A preset with its exact size, known before anything is made."""

    preset: Preset
    architecture: TinyTitan
    parameters: Count
    bytes: Count
    """Tensor bytes in float32, without the file's header."""
    modules: list[ModuleParameters]
    description: str


_DESCRIPTIONS = {
    Preset.nano: "For a first look and for tests: trains in a minute on two cores.",
    Preset.tinytitan: "The TinyTitan: 58,282,241 parameters.",
    Preset.wide: "Wider, with GPT-2's vocabulary size: 134,539,346 parameters.",
}


def preset_infos() -> list[PresetInfo]:
    infos = []
    for preset, arch in ARCHITECTURES.items():
        modules = parameter_table(tensor_shapes(arch))
        count = sum(row.parameters for row in modules)
        infos.append(
            PresetInfo(
                preset=preset,
                architecture=arch,
                parameters=count,
                bytes=4 * count,
                modules=modules,
                description=_DESCRIPTIONS[preset],
            )
        )
    return infos
