"""A model that was bred or merged becomes a folder: its tensors, the documents of the model whose config and tokenizer
it has, a model card and its recipe."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from torch import Tensor

from ...contract.architecture import CausalLM
from ...contract.job import ModelDraft
from ...contract.model import Model
from ...contract.recipe import MergeOrigin
from ..atomic import write_bytes
from ..files import ModelFiles
from ..header import read_header
from ..tensors import write_tensors
from . import strict_json
from .card import card
from .documents import ADAPTER_CONFIG, CONFIG, INDEX, SINGLE, TOKENIZERS, is_tokenizer, kind_of
from .inspection import inspect
from .placement import place_folder
from .sharding import index_of
from .weights import specs_of

CARD, RECIPE = "README.md", "recipe.json"
_TEMPLATE, _OLD_TEMPLATE, _TOKENIZER_CONFIG = "chat_template.jinja", "chat_template.json", "tokenizer_config.json"
_NOT_ITS_OWN = (ADAPTER_CONFIG, INDEX, CARD, RECIPE)
"""What tells of another model's weights."""


def store_folder(
    draft: ModelDraft,
    source: Path | Mapping[str, Tensor],
    *,
    files: ModelFiles,
    run_id: str | None,
    versions: Mapping[str, str],
    time: datetime,
) -> Model:
    """Write, hash, sync and describe; the row is the caller's, last. `draft.documents` names the folder whose
    documents are taken. `source`: the tensors, or a folder of finished files of weights, which is moved. A function of
    its arguments, as `registry.store.store`.

    Raises NameTakenError, BadNameError, RegistryError, OSError (disk full); then nothing is left but weights that were
    finished.
    """
    if draft.documents is None:
        raise ValueError(f"{draft.name}: a folder takes documents")
    folder = source if isinstance(source, Path) else files.scratch / secrets.token_hex(8)
    folder.mkdir(exist_ok=True)
    try:
        for leftover in folder.iterdir():
            if leftover.suffix != ".safetensors":
                leftover.unlink()
        if not isinstance(source, Path):
            write_tensors(folder / SINGLE, source, {"format": "pt"}, durable=False)
        _write_index(folder)
        _take_documents(draft, files, folder)
        if isinstance(draft.origin, MergeOrigin):
            recipe = json.dumps(draft.origin.recipe.model_dump(mode="json"), indent=1)
            write_bytes(folder / RECIPE, recipe.encode())
        found = inspect(folder, [path.name for path in folder.iterdir()])
        text = card(draft, found.digest).encode()
        write_bytes(folder / CARD, text)
        return place_folder(
            draft.model_copy(update={"architecture": found.architecture}),
            folder,
            replace(found, documents=found.documents | {CARD: (len(text), hashlib.sha256(text).hexdigest())}),
            files=files,
            run_id=run_id,
            tokenizer=draft.tokenizer,
            versions=versions,
            time=time,
        )
    finally:
        if not isinstance(source, Path):
            shutil.rmtree(folder, ignore_errors=True)


def _write_index(folder: Path) -> None:
    """Of several files of weights."""
    headers = {path.name: read_header(path) for path in sorted(folder.iterdir())}
    if len(headers) > 1:
        placed = {name: list(header.tensors) for name, header in headers.items()}
        write_bytes(folder / INDEX, index_of(placed, specs_of(headers)))


def _take_documents(draft: ModelDraft, files: ModelFiles, folder: Path) -> None:
    """Copy those of the model whose config it has, and of the one whose tokenizer; write what is its own."""
    own, reads = files.inside(draft.documents or ""), files.inside(draft.tokenizer_documents or draft.documents or "")
    for directory in dict.fromkeys((own, reads)):
        for path in sorted(directory.iterdir()):
            kind = kind_of(path.name)
            if kind is None or kind.format == "safetensors" or path.name in _NOT_ITS_OWN:
                continue
            if directory == (reads if is_tokenizer(path.name) else own):
                shutil.copyfile(path, folder / path.name)
    if isinstance(draft.architecture, CausalLM):
        config = draft.architecture.config
        # as it came, where it is the same
        if strict_json.parse(CONFIG, (folder / CONFIG).read_bytes()) != config:
            write_bytes(folder / CONFIG, json.dumps(config, indent=2, ensure_ascii=False).encode() + b"\n")
    if draft.tokenizer_file is not None:
        _take_tokenizer(folder, Path(draft.tokenizer_file))
    if draft.chat_template is not None:
        _write_template(folder, draft.chat_template)


def _take_tokenizer(folder: Path, file: Path) -> None:
    """In place of any other; what older forms say of its tokens is left out."""
    shutil.copyfile(file, folder / TOKENIZERS[0])
    for name in (*TOKENIZERS[1:], "merges.txt", "added_tokens.json"):
        (folder / name).unlink(missing_ok=True)
    path = folder / _TOKENIZER_CONFIG
    if path.is_file():
        config = strict_json.parse(path.name, path.read_bytes())
        if config.pop("added_tokens_decoder", None) is not None:
            write_bytes(path, json.dumps(config, indent=2, ensure_ascii=False).encode() + b"\n")


def _write_template(folder: Path, template: str) -> None:
    """In place of any other."""
    write_bytes(folder / _TEMPLATE, template.encode())
    (folder / _OLD_TEMPLATE).unlink(missing_ok=True)
    path = folder / _TOKENIZER_CONFIG
    if path.is_file():
        config = strict_json.parse(path.name, path.read_bytes())
        if config.pop("chat_template", None) is not None:
            write_bytes(path, json.dumps(config, indent=2, ensure_ascii=False).encode() + b"\n")
