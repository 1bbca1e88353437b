"""Where models' files lie. Paths come from registry rows and run settings, never from a request."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

from ..contract.model import Model, ModelFile
from .atomic import make_directory, remove_leftovers
from .errors import BadNameError, FileMissingError, NoSpaceError

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_SCRATCH = ".scratch"
_EXPORTS = ".exports"
_TASKS = ".tasks"
_ARRIVING = ".arriving"


class ModelFiles:
    """The models directory: `<directory>/<name>.safetensors`, `<name>_metadata.json`, perhaps `<name>.pt`; or a folder
    `<directory>/<name>` of files that are named as Hugging Face names them, and `<name>_metadata.json` beside it."""

    def __init__(self, root: Path, reserve_bytes: int) -> None:
        """`reserve_bytes` are never filled: the database must be able to record that the disk is full."""
        make_directory(root)
        self.root = root.resolve(strict=True)
        self._reserve_bytes = reserve_bytes
        self.scratch = self.root / _SCRATCH
        self.exports = self.root / _EXPORTS
        self.tasks = self.root / _TASKS
        """By run: what its tasks keep, on whichever node they run."""
        self.arriving = self.root / _ARRIVING
        """Models that are being brought: what is there stays from one start to the next."""
        for directory in (self.scratch, self.exports, self.arriving):
            directory.mkdir(exist_ok=True)

    def target(self, directory: str, name: str, suffix: str) -> Path:
        """Path of a file of the model `name` in `directory` (parts joined by `/`), which is made where missing.

        Raises BadNameError.
        """
        path = self.inside(f"{directory}/{name}{suffix}")
        make_directory(path.parent)
        return self.inside(f"{directory}/{name}{suffix}")

    def inside(self, relative: str) -> Path:
        """Absolute path of something below the root; it need not exist. Raises BadNameError.

        Refuses `..`, absolute paths, hidden names, and links: whatever a name is, it can't lead out.
        """
        parts = relative.split("/")
        if len(parts) > 6 or not all(_PART.fullmatch(part) for part in parts):
            raise BadNameError(f"{relative[:200]!r} is not a path of a model: letters, digits, `.`, `_` and `-` only")
        path = self.root.joinpath(*parts)
        try:
            linked = path.resolve() != path
        except RuntimeError:  # links in a circle, before Python 3.13
            linked = True
        if linked:
            raise BadNameError(f"{relative!r} leads through a symbolic link")
        return path

    def path(self, file: ModelFile) -> Path:
        """Path of a registered file. Raises FileMissingError, BadNameError."""
        path = self.inside(file.path)
        if not path.is_file():
            raise FileMissingError(f"{file.path} is not there")
        return path

    def tensors(self, model: Model) -> Path:
        """The model's safetensors file. Raises FileMissingError, BadNameError."""
        return self.path(file_of(model))

    def weights(self, model: Model) -> list[Path]:
        """The model's safetensors files, in order: one, or its shards. Raises FileMissingError, BadNameError."""
        found = [self.path(file) for file in model.files if file.format == "safetensors"]
        if not found:
            raise FileMissingError(f"{model.name} has no stored safetensors file")
        return found

    def metadata(self, model: Model) -> Path:
        """The metadata file beside the tensors; it need not exist."""
        if model.folder is not None:
            return self.inside(f"{model.folder}_metadata.json")
        return self.inside(file_of(model).path.removesuffix(".safetensors") + "_metadata.json")

    def relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def remove(self, model: Model) -> None:
        """Delete all files of a model; those that are gone already are no error. After its row, never before."""
        for file in model.files:
            self.inside(file.path).unlink(missing_ok=True)
        self.metadata(model).unlink(missing_ok=True)
        if model.folder is not None:
            with contextlib.suppress(FileNotFoundError):
                self.inside(model.folder).rmdir()
        for export in self.exports.glob(f"{model.digest}-*"):
            export.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free

    def require_space(self, needed: int) -> None:
        """Raises NoSpaceError where `needed` bytes would not leave the reserve."""
        free = self.free_bytes()
        if needed + self._reserve_bytes > free:
            raise NoSpaceError(f"{needed} bytes are needed and {self._reserve_bytes} kept in reserve; {free} are free")

    def clean(self) -> list[Path]:
        """Delete what a crash left unfinished, and cached exports. For start-up, before any worker runs."""
        removed = remove_leftovers(self.root)
        for directory in (self.scratch, self.exports):
            for entry in directory.iterdir():
                removed.append(entry)
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)
        return removed


def file_of(model: Model, file_format: str = "safetensors") -> ModelFile:
    """The model's file of a format. Raises FileMissingError where none is stored."""
    for file in model.files:
        if file.format == file_format:
            return file
    raise FileMissingError(f"{model.name} has no stored {file_format} file")
