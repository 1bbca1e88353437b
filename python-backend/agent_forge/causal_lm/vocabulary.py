"""Vocabularies of models' folders, and tokenizers that are given the tokens of several."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..contract.architecture import CausalLM
from ..contract.model import Model
from ..contract.model import Tokenizer as TokenizerRow
from ..contract.recipe import Leaf, MergeNode, Recipe
from ..evomerge.recipe.tree import nodes
from ..evomerge.vocabulary import Known, target_of
from ..registry.bundle import strict_json
from ..registry.digest import sha256_file
from ..registry.files import ModelFiles
from ..registry.leaves import leaves
from .errors import NotRunnable

FILE, _CONFIG = "tokenizer.json", "tokenizer_config.json"


def digest_of(ids: Mapping[str, int]) -> str:
    """SHA-256 of ids by token (`Tokenizer.vocabulary`)."""
    return sha256(json.dumps(ids, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=8)
def vocabulary_of(path: Path, digest: str) -> dict[str, int]:
    """Ids by token of a tokenizer.json whose vocabulary is pinned. Raises LookupError where it is another, or none."""
    try:
        found = Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    except Exception as error:  # the library raises nothing narrower
        raise LookupError(f"{path.parent.name}/{FILE} cannot be read: {error}") from error
    if digest_of(found) != digest:
        raise LookupError(f"{path.parent.name}/{FILE} has other tokens than the vocabulary {digest}")
    return dict(found)


class Tokens:
    """Vocabularies of the models at a recipe's leaves, by digest, and the tokenizer of what it makes."""

    def __init__(self, recipe: Recipe, find: Callable[[str], Model | None], files: ModelFiles) -> None:
        """find: a registered model by id."""
        self._recipe, self._find, self._files = recipe, find, files

    def __call__(self, digest: str) -> Mapping[str, int]:
        """Raises LookupError."""
        for leaf in leaves(self._recipe):
            model = self._find(leaf.model_id)
            own = model.tokenizer if model is not None else None
            if model is not None and model.folder is not None and own is not None and own.vocabulary == digest:
                return vocabulary_of(self._files.inside(f"{model.folder}/{FILE}"), digest)
        raise LookupError(f"no model of the recipe has the vocabulary {digest}, or its tokenizer is gone")

    def write(self, path: Path) -> TokenizerRow | None:
        """Where the recipe aligns vocabularies, the tokenizer.json that its model reads by. Raises NotRunnable."""
        merges = [one for one in nodes(self._recipe) if isinstance(one, MergeNode) and one.op == "align_vocabulary"]
        aligning = next((one for one in merges if one.parameters["of"]), None)
        if aligning is None:
            return None
        models = [self._find(part.model_id) if isinstance(part, Leaf) else None for part in aligning.inputs]
        known, folders = [], []
        for model, digest in zip(models, aligning.parameters["of"], strict=True):
            if model is None or model.folder is None or not isinstance(model.architecture, CausalLM):
                raise NotRunnable("vocabularies are aligned of what is no registered model with a tokenizer")
            known.append(Known(self(digest), model.architecture.vocab_size))
            folders.append(self._files.inside(model.folder))
        target = aligning.parameters["target"]
        wanted = target_of(known, target if target >= 0 else None, aligning.parameters["tokens"])
        own = folders[max(target, 0)]
        return give_tokens(own, wanted, folders, path)


def give_tokens(folder: Path, vocabulary: Mapping[str, int], others: Iterable[Path], path: Path) -> TokenizerRow:
    """Write the tokenizer of `folder` with exactly these tokens at these ids: those beyond them dropped, those that it
    lacks added, as the first of `others` (folders) adds them, else as plain text.

    Raises NotRunnable where the library gives other ids.
    """
    document = _read(folder / FILE)
    own = Tokenizer.from_str(json.dumps(document)).get_vocab(with_added_tokens=True)
    _drop(document, {token for token in own if token not in vocabulary})
    added = {entry["content"]: entry for other in [*others][::-1] for entry in _read(other / FILE)["added_tokens"]}
    for token, id_ in sorted(vocabulary.items(), key=lambda item: item[1]):
        if token not in own:
            plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
            document["added_tokens"].append({**plain, **added.get(token, {}), "content": token, "id": id_})
    text = json.dumps(document, ensure_ascii=False, indent=1)
    made = Tokenizer.from_str(text)
    if made.get_vocab(with_added_tokens=True) != dict(vocabulary):
        raise NotRunnable("the tokenizer cannot be given the tokens of the others: its ids would be other ones")
    path.write_text(text, encoding="utf-8")
    config = _read(folder / _CONFIG) if (folder / _CONFIG).is_file() else {}
    return TokenizerRow(
        kind=type(made.model).__name__,
        tokens=len(vocabulary),
        vocabulary=digest_of(vocabulary),
        sha256=sha256_file(path),
        chat_template="chat_template" in config or (folder / "chat_template.jinja").is_file(),
    )


def _drop(document: dict[str, Any], tokens: set[str]) -> None:
    if not tokens:
        return
    model = document["model"]
    document["added_tokens"] = [entry for entry in document["added_tokens"] if entry["content"] not in tokens]
    inside = tokens & set(model["vocab"] if isinstance(model["vocab"], dict) else ())
    if isinstance(model["vocab"], list) and any(token in tokens for token, _ in model["vocab"]):
        raise NotRunnable(f"a tokenizer of type {model['type']} cannot lose tokens")
    model["vocab"] = (
        {token: id_ for token, id_ in model["vocab"].items() if token not in inside} if inside else model["vocab"]
    )
    if inside and "merges" in model:
        model["merges"] = [merge for merge in model["merges"] if not _touches(merge, inside)]


def _touches(merge: str | Sequence[str], tokens: set[str]) -> bool:
    parts = merge.split(" ") if isinstance(merge, str) else list(merge)
    return any(part in tokens for part in (*parts, "".join(parts)))


def _read(path: Path) -> dict[str, Any]:
    return strict_json.parse(path.name, path.read_bytes())
