"""What people send in place of a safetensors file, recognised by its first bytes, and what to send instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import Defect, MalformedFileError

HEAD_BYTES = 1024
"""This many bytes at the beginning are enough to recognise every kind below."""

_SAVE = "Load it where it came from, and write it with `safetensors.torch.save_file`"


@dataclass(frozen=True, slots=True)
class Foreign:
    pattern: re.Pattern[bytes]
    """Of the beginning of the file."""
    name: str
    instead: str


def _foreign(pattern: bytes, name: str, instead: str) -> Foreign:
    return Foreign(re.compile(pattern, re.DOTALL), name, instead)


# the first that fits counts
FOREIGN = (
    _foreign(
        rb"version https://git-lfs\.github\.com/spec/",
        "a pointer of Git LFS: the name of a file, not the file",
        "Fetch the file itself with `git lfs pull`, or download it from the page of the repository.",
    ),
    _foreign(
        rb"GGUF|lmgg|fmgg|tjgg",
        "a GGUF (or older GGML) file, of llama.cpp",
        "Send the safetensors file that it was made from; its tensors are quantised and packed.",
    ),
    _foreign(
        rb"PK(\x03\x04|\x05\x06|\x07\x08)",
        "a zip archive, such as `torch.save` writes (pickle: code that runs when it is read)",
        f"{_SAVE}: `save_file(torch.load(path, weights_only=True), target)`. Unpack any other archive first.",
    ),
    _foreign(
        rb"\x80[\x02-\x05]",
        "a pickle, such as `torch.save` wrote before PyTorch 1.6: code that runs when it is read",
        f"{_SAVE}: `save_file(torch.load(path, weights_only=True), target)`.",
    ),
    _foreign(
        rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body|!--)",
        "a web page",
        "The download has led to a page, for a log-in perhaps: download the file itself.",
    ),
    _foreign(
        rb"(\xef\xbb\xbf)?\s*<(\?xml|[A-Za-z])",
        "an XML document, such as storage answers in place of a file",
        "Read it: it says why the download was refused. Then download the file itself.",
    ),
    _foreign(
        rb"""\s*\{.*"weight_map"\s*:""",
        "the index of a model in shards: names of files, no tensors",
        "Send the shards it names as one file: load each, put their tensors in one dict, write that with "
        "`safetensors.torch.save_file`.",
    ),
    _foreign(
        rb"\s*[{\[]\s*[\"\]}{\[]",
        "a JSON document",
        "Send the .safetensors file that lies beside it; of an error message, read it and download the file itself.",
    ),
    _foreign(rb"\x93NUMPY", "a NumPy array", f"{_SAVE.replace('torch', 'numpy')}."),
    _foreign(rb"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes", f"{_SAVE.replace('torch', 'numpy')}."),
    _foreign(
        rb"\x1f\x8b|\x28\xb5\x2f\xfd|BZh|\xfd7zXZ\0|7z\xbc\xaf|Rar!", "compressed", "Unpack it, send what is in it."
    ),
    _foreign(rb".{257}ustar", "a tar archive", "Unpack it, send the .safetensors file in it."),
    _foreign(
        rb"[\t\n\r\x20-\x7e]{8,}\Z",
        "plain text, such as the message of a failed download",
        "Read it: it may say why the download was refused. Then download the file itself.",
    ),
)


def foreign(head: bytes) -> MalformedFileError | None:
    """The error that names what a file is that begins with `head`; null where that is none of the known kinds.

    Only for bytes that are no safetensors file: a header of some lengths begins like text.
    """
    head = head[:HEAD_BYTES]
    for kind in FOREIGN:
        if kind.pattern.match(head):
            return MalformedFileError(
                Defect.not_safetensors, f"it is not a safetensors file but {kind.name}", hint=kind.instead
            )
    return None
