"""The union of architectures: what is told apart by its kind, and what was written before there were kinds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from agent_forge.contract.architecture import ARCHITECTURES, Architecture, CausalLM, Preset, TinyTitan
from agent_forge.registry.architecture import file_metadata

UNION: TypeAdapter[TinyTitan | CausalLM] = TypeAdapter(Architecture)
NANO = ARCHITECTURES[Preset.nano]
LLAMA = CausalLM(model_type="llama", config={"model_type": "llama"}, layers=2, vocab_size=32, tied=False, dtype="BF16")


@pytest.mark.parametrize("architecture", [NANO, LLAMA])
def test_each_kind_comes_back_as_itself(architecture: TinyTitan | CausalLM) -> None:
    assert UNION.validate_json(UNION.dump_json(architecture)) == architecture


def test_what_names_no_kind_is_a_tinytitan() -> None:
    assert UNION.validate_python(NANO.model_dump(mode="json", exclude={"kind"})) == NANO


@pytest.mark.parametrize("value", [{"kind": "diffusion"}, {"kind": None}, {}, [], "tinytitan"])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        UNION.validate_python(value)


def test_the_header_of_a_tinytitan_s_file_is_what_it_was_before_there_were_kinds() -> None:
    """These bytes are part of each file's SHA-256."""
    shape = '"vocab_size":264,"d_model":128,"n_layers":4,"n_heads":4,"d_ff":512,"window":32'
    assert file_metadata(NANO) == {"format": "pt", "architecture": f'{{"preset":"nano",{shape}}}'}
    assert file_metadata(LLAMA) == {"format": "pt"}
