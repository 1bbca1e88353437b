"""The next result is made while the last one is worked with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")


def ahead(work: Sequence[Callable[[], Made]]) -> Generator[Made]:
    """Results in order, on a thread of their own, never more than one that is not yet asked for.

    What `work` raises is raised where its result would come. Closing waits for what is being made.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(work[0])
        for following in work[1:]:
            made = coming.result()
            coming = pool.submit(following)
            yield made
            del made
        yield coming.result()
