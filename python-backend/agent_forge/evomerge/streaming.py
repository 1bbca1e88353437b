"""A recipe's model written to a file tensor by tensor, in memory that does not grow with the model.

Leaves are mapped files; kernels read and write chunks; the result lies in the mapped file that it is written to, and
what is made on the way, where it is large, in mapped files without a name. What is finished is noted in a journal
beside the file, with its hash: after a kill the work goes on from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import mmap
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..contract.recipe import Leaf, MergeNode, Recipe
from ..registry.atomic import sync_directory, write_all
from ..registry.digest import combine
from ..registry.families.layout import layout_of
from ..registry.header import Header, TensorSpec, lay_out
from ..registry.tensors import bytes_of, mapped_view, spec_of
from .ops import buffer_pool
from .ops.registry import StateDict, merge_op_named, refuse_non_finite
from .recipe.demand import Demand
from .recipe.materialise import LoadLeaf, Measuring, materialise
from .recipe.tree import recipe_digest
from .vocabulary import Vocabularies

LARGE = 32 * 2**20
"""Bytes from which a tensor that is made on the way lies in a file."""
_HASHED = 2**24
"""Bytes that are hashed at once."""


@dataclass(frozen=True)
class Streamed:
    specs: dict[str, TensorSpec]
    digest: str
    """Of the model."""
    resumed: int
    """Tensors that were there already."""


Progress = Callable[[int, int], None]
"""(bytes made so far, of how many), before each tensor; what it raises ends the work, which can be resumed."""
Files = Callable[[Mapping[str, TensorSpec]], Mapping[str, Sequence[str]]]
"""Tensors of a model → name of each file → which of them it holds."""


def stream(
    recipe: Recipe,
    load_leaf: LoadLeaf,
    target: Path,
    *,
    files: Files | None = None,
    metadata: Mapping[str, str] | None = None,
    measuring: Measuring | None = None,
    vocabularies: Vocabularies | None = None,
    progress: Progress = lambda done, total: None,
) -> Streamed:
    """Write the model that a recipe stands for: the bytes that `materialise` would make.

    target: the file; where there are `files`, the folder of these. `load_leaf` gives tensors that are views on mapped
    files. Work that was interrupted goes on where the files, the recipe and the metadata are the same, after a check of
    what is there by its hashes. Sub-recipes that work on whole models or measure them are made in memory.

    Raises `MergeRefused`, `BlockingIOError` where another process writes a file, `OSError` of a full disk before
    anything is computed, and what `load_leaf`, `measuring`, `vocabularies` and `progress`
    raise.
    """
    work = _Work(recipe, load_leaf, measuring, vocabularies, target.parent)
    specs = {name: spec_of(tensor) for name, tensor in work.outline.items()}
    placed = {target: list(specs)} if files is None else {target / name: own for name, own in files(specs).items()}
    total = sum(spec.bytes for spec in specs.values())
    with ExitStack() as opened, ThreadPoolExecutor(1, thread_name_prefix="hash") as hashing:
        outputs: list[_Output] = []
        for path, names in placed.items():
            header, head = lay_out({name: specs[name] for name in names}, metadata)
            plan = {"recipe": recipe_digest(recipe), "header": hashlib.sha256(head).hexdigest()}
            outputs.append(opened.enter_context(_Output(path, header, head, plan)))
        made = sum(specs[name].bytes for output in outputs for name in output.hashes)
        resumed = sum(len(output.hashes) for output in outputs)
        hashed: list[Future[None]] = []
        for output in outputs:
            for name in output.missing():
                progress(made, total)
                place = output.tensor(name)
                work.write(name, place)
                hashed.append(hashing.submit(output.note, name, place))
                made += specs[name].bytes
                _raise_first(hashed)
        for one in hashed:
            one.result()
        for output in outputs:
            output.sync()
        for output in outputs:
            output.publish()
    found = {name: sha for output in outputs for name, sha in output.hashes.items()}
    return Streamed(specs, combine((name, specs[name], found[name]) for name in specs), resumed)


def _raise_first(hashed: list[Future[None]]) -> None:
    for one in [one for one in hashed if one.done()]:
        one.result()
        hashed.remove(one)


class _Work:
    """A recipe, by one tensor after the other."""

    def __init__(
        self,
        recipe: Recipe,
        load_leaf: LoadLeaf,
        measuring: Measuring | None,
        vocabularies: Vocabularies | None,
        directory: Path,
    ) -> None:
        self._recipe, self._load_leaf, self._measuring = recipe, load_leaf, measuring
        self._vocabularies = vocabularies
        self._directory = directory
        self._leaves: dict[str, Mapping[str, Tensor]] = {}
        self._whole: dict[str, StateDict] = {}
        self._demand = Demand(recipe, self._there, recipe_digest, (), vocabularies)
        self.outline = self._demand.outline(recipe)
        """Names, shapes and types of the result."""

    def write(self, name: str, place: Tensor) -> None:
        """Make one tensor of the result at its place."""
        with buffer_pool.allocated_by(_Allocation(self._directory, place).allocate):
            made = self._tensor(self._recipe, name, {}, last=True)
        if made.data_ptr() != place.data_ptr() or made.numel() == 0:
            place.copy_(made)

    def _tensor(self, recipe: Recipe, name: str, made: dict[tuple[str, str], Tensor], *, last: bool = False) -> Tensor:
        """made: of other parts, for this tensor of the result. last: nothing else is made afterwards."""
        if not last:
            with buffer_pool.allocated_by(_Allocation(self._directory, None).allocate):
                return self._tensor(recipe, name, made, last=True)
        key = recipe_digest(recipe), name
        if key not in made:
            made[key] = self._leaf(recipe, name) if isinstance(recipe, Leaf) else self._merged(recipe, name, made)
        return made[key]

    def _leaf(self, leaf: Leaf, name: str) -> Tensor:
        tensor = self._loaded(leaf)[name]
        refuse_non_finite({name: tensor}, f"model {leaf.model_id}")
        return tensor

    def _merged(self, node: MergeNode, name: str, made: dict[tuple[str, str], Tensor]) -> Tensor:
        op, copied = merge_op_named(node.op), self._demand.copied(node)
        if copied is not None and name in copied:
            index, source = copied[name]
            return self._tensor(node.inputs[index], source, made)
        if (op.whole and copied is None) or op.measures:
            return self._made_whole(node)[name]
        names = [
            list(self._demand.outline(part)) if op.adapts and index == 1 else [name]
            for index, part in enumerate(node.inputs)
        ]
        return op(
            [
                {one: self._tensor(part, one, made) for one in taken}
                for part, taken in zip(node.inputs, names, strict=True)
            ],
            base={name: self._tensor(node.base, name, made)} if node.base is not None else None,
            vocabularies=self._vocabularies,
            seed=node.seed,
            known_finite=True,
            layout=layout_of(self._demand.outline(node)),
            by_tensor=node.by_tensor,
            **node.parameters,
        )[name]

    def _made_whole(self, node: MergeNode) -> StateDict:
        key = recipe_digest(node)
        if key not in self._whole:
            self._whole[key] = materialise(node, self._load_leaf, self._measuring, vocabularies=self._vocabularies)
        return self._whole[key]

    def _there(self, recipe: Recipe) -> Mapping[str, Tensor] | None:
        return self._loaded(recipe) if isinstance(recipe, Leaf) else None

    def _loaded(self, leaf: Leaf) -> Mapping[str, Tensor]:
        if leaf.digest not in self._leaves:
            self._leaves[leaf.digest] = self._load_leaf(leaf)
        return self._leaves[leaf.digest]


class _Allocation:
    """Where the tensors of one merge lie. place: of its result; the first that fits there lies there."""

    def __init__(self, directory: Path, place: Tensor | None) -> None:
        self._directory, self._place = directory, place

    def allocate(self, shape: torch.Size, dtype: torch.dtype) -> Tensor | None:
        place = self._place
        if place is not None and (place.shape, place.dtype) == (shape, dtype):
            self._place = None
            return place
        size = shape.numel() * dtype.itemsize
        if size < LARGE:
            return None
        with tempfile.TemporaryFile(dir=self._directory) as file:
            os.posix_fallocate(file.fileno(), 0, size)
            mapping = mmap.mmap(file.fileno(), size)
        return torch.frombuffer(mapping, dtype=dtype).view(shape)


class _Output:
    """The file while it is written, and its journal: what is finished, a line each. Both survive a kill."""

    def __init__(self, target: Path, header: Header, head: bytes, plan: Mapping[str, str]) -> None:
        self._target, self._header, self._head, self._plan = target, header, head, dict(plan)
        self._part = target.with_name(f"{target.name}.part")
        self._journal = target.with_name(f"{target.name}.journal")
        self.hashes: dict[str, bytes] = {}
        """SHA-256 of each finished tensor."""

    def __enter__(self) -> _Output:
        self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            # of the process that dies the kernel drops it
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            noted = self._noted()
            os.posix_fallocate(self._fd, 0, self._header.file_bytes)
            os.truncate(self._fd, self._header.file_bytes)
            os.lseek(self._fd, 0, os.SEEK_SET)
            write_all(self._fd, self._head)
            self._mapping = mmap.mmap(self._fd, self._header.file_bytes)
            self.hashes = {name: sha for name, sha in noted.items() if _hash(self.tensor(name)) == sha}
            self._log = self._journal.open("w", encoding="utf-8")
            self._say(self._plan)
            for name, sha in self.hashes.items():
                self._say({"tensor": name, "sha256": sha.hex()})
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        os.close(self._fd)

    def tensor(self, name: str) -> Tensor:
        return mapped_view(self._mapping, self._header.tensors[name], self._header.offsets[name])

    def note(self, name: str, tensor: Tensor) -> None:
        """Hash a finished tensor and write it down."""
        sha = _hash(tensor)
        self._say({"tensor": name, "sha256": sha.hex()})
        self.hashes[name] = sha

    def missing(self) -> list[str]:
        """Tensors that are not finished, as they lie in the file."""
        return [name for name in self._header.tensors if name not in self.hashes]

    def sync(self) -> None:
        os.fsync(self._fd)

    def publish(self) -> None:
        self._part.replace(self._target)
        sync_directory(self._target.parent)
        self._journal.unlink()

    def _say(self, line: Mapping[str, str]) -> None:
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()

    def _noted(self) -> dict[str, bytes]:
        """What the journal says, where it is of the same work. Its last line may be cut."""
        try:
            lines = self._journal.read_text(encoding="utf-8").splitlines()
            found = [json.loads(line) for line in lines[:-1]]
            found += [json.loads(line) for line in lines[-1:] if line.endswith("}")]
        except (FileNotFoundError, ValueError):
            return {}
        if not found or found[0] != self._plan:
            return {}
        return {
            line["tensor"]: bytes.fromhex(line["sha256"])
            for line in found[1:]
            if line["tensor"] in self._header.tensors
        }


def _hash(tensor: Tensor) -> bytes:
    entries, total = bytes_of(tensor), hashlib.sha256()
    for start in range(0, len(entries), _HASHED):
        total.update(entries[start : start + _HASHED])
    return total.digest()
