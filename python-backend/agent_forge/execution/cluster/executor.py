"""Children of a run as tasks of a cluster, all of them asked for at once; their items are given in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, Generic, Protocol

import ray

from ...versions import versions
from ..executor import Child, Context, Item, Poll, Shared, TaskLost
from .connection import Cluster
from .models import place
from .task import Began, Ended, Gave, Order, Said, Sent, work

ATTEMPTS = 3
"""Of a child whose node or process ends. What its task raises is not tried again: it would be raised again."""
WAIT_SECONDS = 0.2
"""Between two polls while nothing comes."""
LOOK_SECONDS = 1.0
"""Between two looks at the nodes."""
LOST = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
"""What ends a child for reasons that another node may not have."""
CANCEL_SECONDS = 10.0
"""For a child to end by itself once it is cancelled; then its process is ended."""


class RunLog(Protocol):
    """What the executor tells of a run, see `Job`."""

    def log(self, message: str, level: Any = "info") -> None: ...

    def timing(self, part: str, seconds: float) -> None: ...


class _Stream(Generic[Item]):
    def __init__(self, name: str, ask: Callable[[], Any], tries: int, executor: RayExecutor) -> None:
        self.name, self._ask, self._executor = name, ask, executor
        self.generator = ask()
        self._tries = tries
        self.items: deque[Item] = deque()
        self.node_id: str | None = None
        self.asked = time.monotonic()
        self.error: Exception | None = None
        self.over = False
        self.closed = False

    @property
    def node(self) -> str | None:
        return None if self.node_id is None else self._executor.cluster.name(self.node_id)

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        while not self.items:
            if self.error is not None:
                raise self.error
            if self.over or self.closed:
                raise StopIteration
            self._executor.pump()
        return self.items.popleft()

    def again(self) -> bool:
        """Ask once more for what was lost; False where that was done often enough."""
        self._tries -= 1
        if self._tries < 1 or self.closed:
            return False
        self.generator, self.asked = self._ask(), time.monotonic()
        return True

    def close(self) -> None:
        self.items.clear()
        if not self.over and not self.closed:
            ray.cancel(self.generator, recursive=False)
        self.closed = True


class RayExecutor:
    """Implements `executor.Executor` for one run, on one thread."""

    def __init__(self, cluster: Cluster, run_log: RunLog) -> None:
        self.cluster, self._log = cluster, run_log
        self._open: dict[Any, _Stream[Any]] = {}
        """By generator: those that items may still come from."""
        self._poll: Poll = lambda: None
        self._looked = time.monotonic()
        self._orders: tuple[Shared[Any], str, Any] | None = None
        """Of the newest: what was shared, its key, the order in the object store."""

    @property
    def places(self) -> int:
        return self.cluster.places

    @property
    def files_shared(self) -> bool:
        return self.cluster.files_shared

    def map(
        self,
        task: Callable[[Context, Child], Generator[Item]],
        shared: Shared[Context],
        children: Sequence[Child],
        poll: Poll,
    ) -> Generator[_Stream[Item]]:
        self._poll = poll
        streams: list[_Stream[Item]] = []
        try:
            streams += self._submitted(task, shared, children)
            for stream in streams:
                yield stream
                stream.close()
        finally:
            self._end(streams)

    def arrivals(
        self,
        task: Callable[[Context, Child], Generator[Item]],
        shared: Shared[Context],
        children: Sequence[Child],
        poll: Poll,
    ) -> Generator[tuple[int, Item]]:
        self._poll = poll
        streams: list[_Stream[Item]] = []
        try:
            streams += self._submitted(task, shared, children)
            while any(stream.items or stream.error or not stream.over for stream in streams):
                for index, stream in enumerate(streams):
                    while stream.items:
                        yield index, stream.items.popleft()
                    if stream.error is not None:
                        raise stream.error
                if self._open:
                    self.pump()
        finally:
            self._end(streams)

    def pump(self) -> None:
        """Take what has come, or wait a while for it."""
        self._poll()
        begin = time.monotonic()
        if begin - self._looked > LOOK_SECONDS:
            self._look()
        waiting = list(self._open)
        ready, _ = ray.wait(waiting, num_returns=1, timeout=WAIT_SECONDS)
        if ready:
            ready, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
        self._log.timing("wait", time.monotonic() - begin)
        for generator in ready:
            self._receive(self._open[generator])

    def _submitted(
        self, task: Callable[[Context, Child], Generator[Item]], shared: Shared[Context], children: Sequence[Child]
    ) -> list[_Stream[Item]]:
        gpus = 1 if shared.device == "cuda" else 0
        self._look()
        self.cluster.require_room(shared.memory, gpus)
        key, order = self._order(shared)
        options: Callable[..., Any] = ray.remote(work).options
        streams: list[_Stream[Item]] = []
        for child in children:
            ask = options(
                name=child.name,
                num_returns="streaming",
                num_cpus=self.cluster.threads,
                num_gpus=gpus,
                memory=shared.memory,
                # Ray's own retries leave out as many items as there were: right only where they are the same again
                max_retries=0 if shared.resumes else ATTEMPTS - 1,
            )
            asked = ray.cloudpickle.dumps((task, child))
            tries = ATTEMPTS if shared.resumes else 1
            stream: _Stream[Item] = _Stream(child.name, partial(ask.remote, key, order, asked), tries, self)
            self._open[stream.generator] = stream
            streams.append(stream)
        return streams

    def _order(self, shared: Shared[Any]) -> tuple[str, Any]:
        if self._orders is None or self._orders[0] is not shared:
            begin = time.monotonic()
            description, models = shared.describe()
            files_shared = self.cluster.files_shared
            placed = {name: place(model, files_shared=files_shared) for name, model in models.items()}
            order = Order(versions(), self.cluster.threads, placed, ray.cloudpickle.dumps((shared.make, description)))
            reference = ray.put(order)
            self._orders = shared, reference.hex(), reference
            seconds = time.monotonic() - begin
            self._log.timing("share", seconds)
            by_path = sum(one.reference is None for one in placed.values())
            self._log.log(
                f"{len(placed)} models shared with {len(self.cluster.nodes())} nodes in {seconds:.1f} s, {by_path} of "
                f"them by path; up to {self.places} children at once, of {self.cluster.threads} threads"
            )
        return self._orders[1], self._orders[2]

    def _receive(self, stream: _Stream[Any]) -> None:
        """One thing, or the end."""
        try:
            sent = ray.get(next(stream.generator))
        except StopIteration:
            self._over(stream, None)
        except ray.exceptions.RayTaskError as error:
            self._over(stream, error.cause if isinstance(error.cause, Exception) else error)
        except ray.exceptions.RayError as error:
            if isinstance(error, LOST) and self._again(stream):
                return
            lost = f"{stream.name} was begun {ATTEMPTS} times, and what worked on it ended each time: {_short(error)}"
            self._over(stream, TaskLost(lost))
        else:
            self._take(stream, sent)

    def _take(self, stream: _Stream[Any], sent: Sent) -> None:
        if stream.node_id != sent.node:
            if stream.node_id is not None:
                # often sooner than it is known that the node is gone
                here, there = self.cluster.name(stream.node_id), self.cluster.name(sent.node)
                self._log.log(f"{stream.name} was lost on {here}, and begins again on {there}", "warning")
            self._leave(stream)
            stream.node_id = sent.node
            self.cluster.began(sent.node, stream.name)
        node = self.cluster.name(sent.node)
        match sent.item:
            case Began():
                self._log.timing(f"queue:{node}", time.monotonic() - stream.asked)
            case Said(level, message):
                self._log.log(f"{node}: {message}", "error" if level == "critical" else level)
            case Gave(item):
                if not stream.closed:
                    stream.items.append(item)
            case Ended(seconds):
                self._log.timing(f"node:{node}", seconds)

    def _over(self, stream: _Stream[Any], error: Exception | None) -> None:
        stream.over = True
        if not stream.closed:
            stream.error = error
        self._leave(stream)
        self._open.pop(stream.generator, None)

    def _again(self, stream: _Stream[Any]) -> bool:
        before = stream.generator
        if not stream.again():
            return False
        del self._open[before]
        self._open[stream.generator] = stream
        self._log.log(f"{stream.name} begins again: what worked on it has ended", "warning")
        return True

    def _leave(self, stream: _Stream[Any]) -> None:
        if stream.node_id is not None:
            self.cluster.ended(stream.node_id, stream.name)

    def _look(self) -> None:
        self._looked = time.monotonic()
        for node_id in self.cluster.look():
            left = [stream.name for stream in self._open.values() if stream.node_id == node_id and not stream.closed]
            what = f"; lost on it, to begin again elsewhere: {', '.join(left)}" if left else ""
            self._log.log(f"node {self.cluster.name(node_id)} is gone{what}", "warning")

    def _end(self, streams: Sequence[_Stream[Any]]) -> None:
        """Cancel what is left, and wait until nothing of it runs."""
        for stream in streams:
            stream.close()
        for force in (False, True):
            deadline = time.monotonic() + CANCEL_SECONDS
            while (left := [one for one in streams if not one.over]) and time.monotonic() < deadline:
                if force:
                    for stream in left:
                        ray.cancel(stream.generator, force=True, recursive=False)
                ready, _ = ray.wait([one.generator for one in left], num_returns=1, timeout=WAIT_SECONDS)
                for generator in ready:
                    self._receive(self._open[generator])


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
