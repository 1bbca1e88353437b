"""Very small models of real families with a real tokenizer, for tests that must run in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from agent_forge.contract.architecture import CausalLM

CORPUS = [
    "the quick brown fox jumps over the lazy dog",
    "two plus two is four and three plus four is seven",
    "a question has an answer and the answer has a question",
    "0123456789 + - = ? : ; , .",
]
TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:{% endif %}"
)
SHARED = {"vocab_size": 320, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_WIDE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": _WIDE
    | {"num_key_value_heads": 2, "max_position_embeddings": 256, "tie_word_embeddings": False, "rope_theta": 1e4},
    "qwen2": _WIDE | {"num_key_value_heads": 2, "max_position_embeddings": 256, "tie_word_embeddings": True},
    "gemma": _WIDE | {"num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 256},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256},
}
"""gemma and gpt2 are tied by default."""


def config(family: str) -> dict[str, Any]:
    return {"model_type": family, "dtype": "float32", **FAMILIES[family], **SHARED}


def network(family: str, seed: int = 0) -> Any:
    """As transformers makes it, with weights large enough that what it says depends on what it reads."""
    torch.manual_seed(seed)
    given = {name: value for name, value in config(family).items() if name not in ("model_type", "dtype")}
    made = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**given)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() == 2:
                parameter.mul_(5.0)
    return made


def tensors(made: Any) -> dict[str, Tensor]:
    """As `save_pretrained` writes them: a tied head once."""
    tied = set(getattr(made, "_tied_weights_keys", None) or ()) if made.config.tie_word_embeddings else set()
    return {name: tensor.detach().clone() for name, tensor in made.state_dict().items() if name not in tied}


def architecture(family: str) -> CausalLM:
    tied = bool(CONFIG_MAPPING[family]().tie_word_embeddings) if family in ("gemma", "gpt2") else family == "qwen2"
    return CausalLM(
        model_type=family, config=config(family), layers=3, vocab_size=SHARED["vocab_size"] or 0, tied=tied, dtype="F32"
    )


def tokenizer_folder(folder: Path, template: str | None = TEMPLATE) -> Path:
    """A byte-level BPE of the corpus that sets <s> before a text."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=SHARED["vocab_size"] or 0,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    if template is not None:
        said["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    return folder


def swap_ids(file: Path, one: str, other: str) -> None:
    """Of two tokens of a `tokenizer.json`."""
    document = json.loads(file.read_bytes())
    ids = document["model"]["vocab"]
    ids[one], ids[other] = ids[other], ids[one]
    file.write_text(json.dumps(document))
