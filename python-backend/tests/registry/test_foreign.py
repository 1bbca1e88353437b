"""What is sent in place of a safetensors file is named, and what to send instead."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from agent_forge.registry.errors import Defect, MalformedFileError
from agent_forge.registry.files import ModelFiles
from agent_forge.registry.foreign import FOREIGN, foreign
from agent_forge.registry.header import read_header

from .test_upload import nothing_left, send


def saved_by_torch(new: bool) -> bytes:
    target = io.BytesIO()
    torch.save({"a": torch.ones(2)}, target, _use_new_zipfile_serialization=new)
    return target.getvalue()


def array() -> bytes:
    target = io.BytesIO()
    np.save(target, np.ones(300))
    return target.getvalue()


def archive() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("model.safetensors"))
    return target.getvalue()


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 123456\n"
INDEX = {"metadata": {"total_size": 2 * 10**9}, "weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}
SENT: list[tuple[str, bytes, str, str]] = [
    ("HTML", b"<!DOCTYPE html><html>Access restricted, log in</html>", "web page", "log-in"),
    ("HTML after a blank line", b"\n <html lang='en'>" + b" " * 5000, "web page", "log-in"),
    ("XML", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML", "Read it"),
    ("GGUF", struct.pack("<4sIQQ", b"GGUF", 3, 0, 0) + bytes(200), "GGUF", "made from"),
    ("zip of torch.save", saved_by_torch(new=True), "zip", "save_file"),
    ("old torch.save", saved_by_torch(new=False), "pickle", "save_file"),
    ("pickle", pickle.dumps({"a": list(range(100))}), "pickle", "save_file"),
    ("LFS pointer", POINTER.encode(), "Git LFS", "git lfs pull"),
    ("index of shards", json.dumps(INDEX, indent=2).encode(), "index of a model in shards", "as one file"),
    ("error in JSON", b'{"error":"Repository not found"}', "JSON", "read it"),
    ("config.json", json.dumps({"architectures": ["Llama"]}, indent=2).encode(), "JSON", "beside it"),
    ("NumPy", array(), "NumPy", "safetensors.numpy"),
    ("HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5", "safetensors.numpy"),
    ("gzip", gzip.compress(bytes(range(256))), "compressed", "Unpack"),
    ("tar", archive(), "tar", "Unpack"),
    ("text", b"Entry not found", "plain text", "download"),
]
IDS = [row[0] for row in SENT]
ROWS = [row[1:] for row in SENT]


@pytest.mark.parametrize(("data", "name", "instead"), ROWS, ids=IDS)
@pytest.mark.parametrize("chunk", [5, 10**6])
def test_an_upload_is_told(files: ModelFiles, data: bytes, name: str, instead: str, chunk: int) -> None:
    with pytest.raises(MalformedFileError, match=name) as error:
        send(files, data, chunk=chunk)
    assert error.value.defect is Defect.not_safetensors
    assert instead in str(error.value.hint)
    assert nothing_left(files)


@pytest.mark.parametrize(("data", "name", "instead"), ROWS, ids=IDS)
def test_a_file_is_told(tmp_path: Path, data: bytes, name: str, instead: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(MalformedFileError, match=name) as error:
        read_header(path)
    assert instead in str(error.value.hint)


def test_every_kind_is_sent() -> None:
    told = {str(foreign(row[1])) for row in SENT}
    assert all(any(kind.name in text for text in told) for kind in FOREIGN)


def test_other_bytes_are_of_no_kind() -> None:
    assert foreign(b"\xff" * 100) is None
    assert foreign(b"") is None
