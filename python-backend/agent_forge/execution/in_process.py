"""Children are worked on in this process, one after the other; the next one's first item is made meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from typing import Generic

from .executor import Child, Context, Item, Poll, Shared


class _Begun(Generic[Item]):
    """A stream whose first item is there, or the reason why there is none."""

    node: str | None = None

    def __init__(self, work: Generator[Item]) -> None:
        self._work = work
        self._rest: Iterator[Item] = work
        try:
            self._rest = chain([next(work)], work)
        except StopIteration:
            pass
        except BaseException as error:
            self._rest = _raising(error)

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        return next(self._rest)

    def close(self) -> None:
        self._rest = iter(())
        self._work.close()


def _raising(error: BaseException) -> Iterator[Item]:
    raise error
    yield


class InProcess:
    """Implements `executor.Executor`."""

    places = 1
    files_shared = True

    def map(
        self,
        task: Callable[[Context, Child], Generator[Item]],
        shared: Shared[Context],
        children: Sequence[Child],
        poll: Poll,
    ) -> Generator[_Begun[Item]]:
        """Never more than one is begun that is not yet asked for: each may hold a model. First items are made on a
        thread of their own, the others where they are asked for."""

        def begin(child: Child) -> _Begun[Item]:
            return _Begun(task(shared.here, child))

        with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
            coming = [pool.submit(begin, child) for child in children[:1]]
            for following in [*children[1:], None] if coming else []:
                begun = coming.pop().result()
                if following is not None:
                    coming.append(pool.submit(begin, following))
                with closing(begun):
                    yield begun
                del begun

    def arrivals(
        self,
        task: Callable[[Context, Child], Generator[Item]],
        shared: Shared[Context],
        children: Sequence[Child],
        poll: Poll,
    ) -> Generator[tuple[int, Item]]:
        for index, child in enumerate(children):
            with closing(task(shared.here, child)) as work:
                for item in work:
                    poll()
                    yield index, item
