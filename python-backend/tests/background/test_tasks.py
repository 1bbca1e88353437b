from __future__ import annotations

import ast
import asyncio
import errno
import logging
from pathlib import Path

import pytest

import agent_forge
from agent_forge.background import tasks
from agent_forge.background.backoff import Policy
from agent_forge.background.tasks import Tasks


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "TASK", Policy(0.001, 0.002))


class Step:
    """Raises what is given, one after another (the last of them for ever where `always`), then succeeds."""

    def __init__(self, *errors: Exception, always: bool = False) -> None:
        self.errors, self.always, self.calls, self.done = list(errors), always, 0, asyncio.Event()

    async def __call__(self) -> None:
        self.calls += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors[0] if self.always else self.errors.pop(0)
        self.done.set()
        await asyncio.sleep(0.001)


def _run(step: Step, until: asyncio.Event | None = None) -> tuple[list[str], dict[str, str]]:
    async def main() -> tuple[list[str], dict[str, str]]:
        fatal: list[str] = []
        ended = until or asyncio.Event()

        def end(reason: str) -> None:
            fatal.append(reason)
            ended.set()

        owner = Tasks(end)
        owner.repeat("step", step)
        await asyncio.wait_for(ended.wait(), 60)
        faults = owner.faults()
        await owner.close()
        return fatal, faults

    return asyncio.run(main())


def test_a_step_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    step = Step(*[ValueError(f"number {n}") for n in range(tasks.FAILURES - 1)])
    assert _run(step, step.done)[0] == []
    assert [str(r.exc_info[1]) for r in caplog.records if r.exc_info] == [f"number {n}" for n in range(5)]


def test_a_step_that_always_fails_ends_the_process_once(caplog: pytest.LogCaptureFixture) -> None:
    step = Step(ValueError("never"), always=True)
    fatal, faults = _run(step)
    assert (step.calls, fatal) == (tasks.FAILURES, ["background task step cannot go on: ValueError: never"])
    assert faults == {"step": "ValueError"}
    assert caplog.records[-1].levelno == logging.CRITICAL


def test_successes_between_failures_begin_the_count_anew() -> None:
    class Flaky(Step):
        async def __call__(self) -> None:
            self.calls += 1
            await asyncio.sleep(0)
            if self.calls % tasks.FAILURES:
                raise ValueError("at times")
            if self.calls == 4 * tasks.FAILURES:
                self.done.set()

    flaky = Flaky()
    assert _run(flaky, flaky.done)[0] == []


def test_what_passes_is_waited_for_however_long_it_takes() -> None:
    step = Step(*[OSError(errno.ENOSPC, "No space left on device") for _ in range(5 * tasks.FAILURES)])
    assert _run(step, step.done)[0] == []
    assert step.calls == 5 * tasks.FAILURES + 1


def test_a_task_that_ends_by_itself_is_logged_where_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("once")

    async def main() -> None:
        await Tasks(pytest.fail).once("job", fail())

    asyncio.run(main())
    assert [r.getMessage() for r in caplog.records] == ["background task job failed"]


OWNERS = {
    "create_task": "background/tasks.py",
    "ensure_future": "background/tasks.py",
    "Thread": "background/threads.py",
}


def test_every_background_task_and_thread_has_an_owner() -> None:
    root = Path(agent_forge.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
                owner = OWNERS.get(name or "")
                assert owner is None or path == root / owner, f"{path}:{node.lineno} calls {name}"
