"""Where the children of a run are worked on: the port between an engine and what computes for it.

A task is a generator: what it yields reaches the engine item by item, so that the engine can decide while a child is
still worked on, and cancel it. Children don't know each other; whatever depends on their order, the engine decides,
in their order. So its result does not depend on which child ends first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor


class Named(Protocol):
    @property
    def name(self) -> str:
        """Of a child, within its run: what lists and logs call it."""


Context = TypeVar("Context")
Child = TypeVar("Child", bound=Named)
Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)

Task = Callable[[Context, Child], Generator[Item]]
"""A function of a module, so that another process finds it by its name."""
Poll = Callable[[], None]
"""Called while the executor waits; what it raises ends the wait."""


class TaskLost(Exception):  # noqa: N818 - names what happened to it
    """A child was begun three times, and each time what worked on it ended."""


@dataclass(frozen=True)
class SharedModel:
    """A model that all children of a run read."""

    tensors: Mapping[str, Tensor]
    digest: str
    file: Path | None = None
    """A file of these tensors alone, by its path on the machine of the backend; None where there is none."""


@dataclass(frozen=True)
class Shared(Generic[Context]):
    """What all children of a run work with: as it is here, and as another process makes it again."""

    here: Context
    make: Callable[[Any, Mapping[str, Mapping[str, Tensor]]], Context]
    """(description, tensors of the models) → the same as `here`. A function of a module. It leaves the tensors
    unchanged, which may lie in memory that it must not write to."""
    describe: Callable[[], tuple[Any, Mapping[str, SharedModel]]]
    """A description, small and without tensors, and models by any name. Asked for only where another process needs
    them."""
    memory: int
    """Bytes that one child needs, its process included."""
    device: str = "cpu"
    """`cuda`: one GPU a child."""
    resumes: bool = False
    """Whether a child that begins again, since its node is gone, goes on from what it has kept; else it gives the same
    items once more, of which those that were there are left out."""


class Stream(Protocol[Item_co]):
    """What one child gives, item by item; what its task raises is raised where the next item would come."""

    @property
    def node(self) -> str | None:
        """Where it is worked on, as far as is known; None: in this process."""

    def __iter__(self) -> Iterator[Item_co]: ...

    def __next__(self) -> Item_co:
        """Raises TaskLost."""

    def close(self) -> None:
        """Cancel what is left of it."""


class Executor(Protocol):
    @property
    def places(self) -> int:
        """Children that can be worked on at once."""

    @property
    def files_shared(self) -> bool:
        """Whether children see the files of this machine, under the same paths."""

    def map(
        self,
        task: Callable[[Context, Child], Generator[Item]],
        shared: Shared[Context],
        children: Sequence[Child],
        poll: Poll,
    ) -> Generator[Stream[Item]]:
        """One stream a child, in order. Asking for the next one closes the one before; closing the generator cancels
        all that is left, and returns when nothing is worked on any more."""

    def arrivals(
        self,
        task: Callable[[Context, Child], Generator[Item]],
        shared: Shared[Context],
        children: Sequence[Child],
        poll: Poll,
    ) -> Generator[tuple[int, Item]]:
        """Items of all children with the child's index, as they come. Closing it cancels all that is left."""
