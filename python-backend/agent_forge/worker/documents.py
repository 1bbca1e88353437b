"""The documents of a model that is being brought, read apart from the process that answers requests.

Nothing of them runs: JSON is parsed strictly, and a tokenizer is data to the tokenizers library.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from tokenizers import Tokenizer as LoadedTokenizer

from ..causal_lm.vocabulary import digest_of
from ..contract.model import Tokenizer
from ..contract.recipe import Recipe
from ..registry.bundle import strict_json
from ..registry.bundle.arrival import check_document
from ..registry.bundle.documents import kind_of
from ..registry.digest import sha256_file
from ..registry.errors import ModelFileError

RECIPE = "recipe.json"
_RECIPE: TypeAdapter[Recipe] = TypeAdapter(Recipe)
_CHAT_TEMPLATES = ("chat_template.jinja", "chat_template.json")


def read_documents(folder: Path, names: Sequence[str]) -> Tokenizer | None:
    """Check what is checked apart, and say what the tokenizer is; None where there is none. Raises ModelFileError."""
    for name in names:
        kind = kind_of(name)
        if kind is not None and kind.checked_apart:
            check_document(name, kind, (folder / name).read_bytes())
    chat_template = any(name in names for name in _CHAT_TEMPLATES) or _names_template(folder, names)
    if "tokenizer.json" in names:
        path = folder / "tokenizer.json"
        try:
            loaded = LoadedTokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise ModelFileError(f"tokenizer.json is no tokenizer: {error}") from error
        kind_name = type(loaded.model).__name__
        ids = loaded.get_vocab(with_added_tokens=True)
    elif "tokenizer.model" in names:
        path, kind_name, ids = folder / "tokenizer.model", "sentencepiece", None
    elif "vocab.json" in names and "merges.txt" in names:
        path, kind_name = folder / "vocab.json", "BPE"
        ids = strict_json.parse("vocab.json", path.read_bytes())
    else:
        return None
    return Tokenizer(
        kind=kind_name,
        tokens=None if ids is None else len(ids),
        vocabulary=None if ids is None else digest_of(ids),
        sha256=sha256_file(path),
        chat_template=chat_template,
    )


def read_recipe(folder: Path) -> Recipe | None:
    """What its recipe.json says that a model was made of; None where it is of another kind. Raises ModelFileError.

    It is what somebody says: only to make the model again proves it."""
    found = strict_json.parse(RECIPE, (folder / RECIPE).read_bytes())
    try:
        return _RECIPE.validate_python(found)
    except (ValidationError, RecursionError):
        return None


def _names_template(folder: Path, names: Sequence[str]) -> bool:
    if "tokenizer_config.json" not in names:
        return False
    config = strict_json.parse("tokenizer_config.json", (folder / "tokenizer_config.json").read_bytes())
    return config.get("chat_template") is not None
