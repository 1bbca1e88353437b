"""A model's tensors through one view, whatever its shards: memory-mapped, read when used, row by row if wanted.

    view = TensorView(files.weights(model))
    view["model.embed_tokens.weight"]                 # the tensor, mapped: nothing is read yet
    view.rows("model.embed_tokens.weight", 0, 1024)   # its first 1024 rows, the same way
    view.release("model.embed_tokens.weight")         # what was read of it need not stay in memory

It is a `Mapping`, so every op takes it where it takes a state dict. Writing to a tensor changes neither the file nor
another view (copy-on-write), and costs memory. A file that is cut while it is mapped ends the process (SIGBUS):
registered files are replaced, never changed.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..errors import ModelFileError
from ..header import Header, TensorSpec
from ..tensors import map_file, mapped_view


@dataclass(frozen=True, slots=True)
class _Shard:
    mapping: mmap.mmap
    header: Header


class TensorView(Mapping[str, Tensor]):
    """Of the safetensors files at `paths`; names in the order of the files.

    Raises FileMissingError, MalformedFileError, UnreadableTypeError, and ModelFileError for a name that is there twice.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._of: dict[str, _Shard] = {}
        self.metadata: dict[str, str] = {}
        """The text in the files' headers."""
        for path in paths:
            shard = _Shard(*map_file(path))
            self.metadata = shard.header.metadata | self.metadata
            for name in shard.header.tensors:
                if name in self._of:
                    raise ModelFileError(f"`{name}` is in two files; {path.name} is the second")
                self._of[name] = shard

    def __getitem__(self, name: str) -> Tensor:
        shard = self._of[name]
        return mapped_view(shard.mapping, shard.header.tensors[name], shard.header.offsets[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)

    @property
    def specs(self) -> dict[str, TensorSpec]:
        """Type and shape of each tensor, from the headers alone."""
        return {name: shard.header.tensors[name] for name, shard in self._of.items()}

    def rows(self, name: str, start: int, stop: int) -> Tensor:
        """Rows `start` to `stop` of the first dimension, (stop - start, …): a view on the file, no more of it is read.

        Raises IndexError outside the tensor, and for one without dimensions.
        """
        shard = self._of[name]
        spec = shard.header.tensors[name]
        if not spec.shape or not 0 <= start <= stop <= spec.shape[0]:
            raise IndexError(f"`{name}` has the shape {spec.shape}: no rows {start} to {stop}")
        block = TensorSpec(spec.dtype, (stop - start, *spec.shape[1:]))
        row_bytes = spec.bytes // spec.shape[0] if spec.shape[0] else 0
        return mapped_view(shard.mapping, block, shard.header.offsets[name] + start * row_bytes)

    def release(self, name: str) -> None:
        """Give back the memory that reading the tensor took; it is read again where it is used again.

        What was written to it through a view is lost.
        """
        shard = self._of[name]
        begin = shard.header.offsets[name]
        end = begin + shard.header.tensors[name].bytes
        # whole pages: neighbours share the first and the last
        begin, end = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE, end // mmap.PAGESIZE * mmap.PAGESIZE
        if end > begin:
            shard.mapping.madvise(mmap.MADV_DONTNEED, begin, end - begin)
