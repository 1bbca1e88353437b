"""What can go wrong with a model's file, each case with a stable code."""

from __future__ import annotations

from enum import StrEnum


class RegistryError(Exception):
    """Base of all errors of the registry. `code` is stable and for programs, the message for people."""

    code = "registry_error"
    hint: str | None = None


class Defect(StrEnum):
    """What is wrong with a safetensors file."""

    not_safetensors = "not_safetensors"
    too_short = "too_short"
    header_too_large = "header_too_large"
    header_not_json = "header_not_json"
    duplicate_name = "duplicate_name"
    bad_metadata = "bad_metadata"
    bad_entry = "bad_entry"
    bad_name = "bad_name"
    unknown_dtype = "unknown_dtype"
    bad_shape = "bad_shape"
    bad_offsets = "bad_offsets"
    size_mismatch = "size_mismatch"
    overlap = "overlap"
    gap = "gap"
    wrong_length = "wrong_length"
    no_tensors = "no_tensors"
    not_finite = "not_finite"


class MalformedFileError(RegistryError):
    """The bytes are no valid safetensors file; `defect` names the first thing that is wrong."""

    code = "malformed_file"
    hint = "Write it again with the safetensors library."

    def __init__(self, defect: Defect, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.defect = defect
        if hint is not None:
            self.hint = hint


class UnreadableTypeError(RegistryError):
    """A tensor of a type that torch cannot compute with."""

    code = "unsupported_dtype"
    hint = "It can be kept, listed, verified and downloaded. To use its tensors, unpack them to F32 or BF16."


class BadNameError(RegistryError):
    """A name or a path that can't lie below the models directory."""

    code = "bad_name"


class NameTakenError(RegistryError):
    """Another model's files have this place."""

    code = "name_taken"
    hint = "Choose another name, or delete the other model first."


class FileMissingError(RegistryError):
    """The registry knows the model, but its file isn't there."""

    code = "file_missing"
    hint = "Restore the file from a back-up, or delete the model; a merged one can be made again from its recipe."


class FileDiffersError(RegistryError):
    """A model's file does not hold the bytes that were registered."""

    code = "file_differs"
    hint = (
        "Verify the model, which tells whether its recipe still makes it. Then restore the file from a back-up, "
        "or delete the model and make it again."
    )

    def __init__(self, message: str, *, expected: str, found: str) -> None:
        super().__init__(message)
        self.expected, self.found = expected, found


class ModelFileError(RegistryError):
    """One file of a model that has several: its name, its size or what it holds."""

    code = "bad_model_file"
    hint = "Bring the files as `save_pretrained` or `huggingface-cli download` writes them."


class HubError(RegistryError):
    """What the Hugging Face hub does not give."""

    code = "hub_unavailable"
    hint = "Fetch it elsewhere with `hf download`, and import the folder."


class SeveralFilesError(RegistryError):
    """One file is asked for of a model that has several."""

    code = "several_files"
    hint = "The model's page names its files and the folder that they lie in."


class OffsetError(RegistryError):
    """A file goes on from another place than where it stopped."""

    code = "offset_differs"
    hint = "Ask for the import: `received` of the file is where it goes on."


class IncompleteModelError(RegistryError):
    """The files do not make a model; the message says what is missing."""

    code = "incomplete_model"
    hint = "Bring all files of the model's folder together."


class TooLargeError(RegistryError):
    """An upload beyond the limit."""

    code = "too_large"


class NoSpaceError(RegistryError):
    """The disk can't take the file."""

    code = "insufficient_disk"
    hint = "Delete models that are no longer needed."


class WrongShapeError(RegistryError):
    """Tensors that are not those of the architecture that they claim."""

    code = "wrong_shape"


class NotRebuildableError(RegistryError):
    """There is nothing to rebuild the model from; the check is skipped and the message says why."""

    code = "not_rebuildable"


class LeafError(RegistryError):
    """A leaf of a recipe is gone or isn't what the recipe pinned, and can't be rebuilt either."""

    code = "bad_leaf"
