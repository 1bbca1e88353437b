"""The worker process: leases queued runs, one at a time, and does their work with torch."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import Any

import torch

from ..contract.job import Cancelled, Paused
from ..contract.run import Run
from ..registry.files import ModelFiles
from ..settings import Settings
from . import engine, ledger, logs, memory, rates, records
from .calibration import calibrate
from .database import Database
from .failure import describe
from .job import DatabaseJob, Stopped
from .ledger import Fenced, Lease
from .pipe import Upward, listen
from .states import Action
from .versions import versions

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
"""The queue is looked at so often even without a wake-up: a lost message only delays."""
EXIT_SECONDS = 10.0
"""Time to stop in good order once the parent is gone; after that the process just ends."""


class Worker:
    """One process, one run at a time. `name` is what its leases are held under."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings, self._name = settings, name
        self._pipe = Upward()
        self._database = Database(
            settings.database, on_commit=lambda seq: self._pipe.send({"kind": "committed", "seq": seq})
        )
        self._files = ModelFiles(settings.models)
        self._stop, self._wake = threading.Event(), threading.Event()
        self._job: DatabaseJob | None = None
        self._lease: Lease | None = None
        self.device = "cuda" if torch.cuda.is_available() else "cpu"

    def serve(self) -> None:
        """Until told to stop, until stdin ends, or until a run has left too much memory behind."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
        signal.signal(signal.SIGTERM, lambda *_: self._halt())
        os.nice(self._settings.nice)
        if self._settings.threads is not None:
            torch.set_num_threads(self._settings.threads)
        listen(self._receive, self._abandoned)
        if self._database.get_meta("calibration") is None:
            self._database.set_meta("calibration", calibrate().model_dump_json())
        self._pipe.send({"kind": "ready", "device": self.device})
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        while not self._stop.is_set():
            if not self._work():
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()
            elif (held := memory.own_bytes()) > self._settings.worker_memory_bytes:
                log.info("%d MB are held after a run: a fresh worker follows", held // 10**6)
                return

    def _halt(self) -> None:
        self._stop.set()
        self._wake.set()

    def _receive(self, message: dict[str, Any]) -> None:
        if message["kind"] == "stop":
            self._halt()
        self._wake.set()
        if (job := self._job) is not None:
            job.control.set()

    def _abandoned(self) -> None:
        self._halt()
        time.sleep(EXIT_SECONDS)
        os._exit(1)

    def _beat(self) -> None:
        while not self._stop.wait(self._settings.heartbeat_seconds):
            self._pipe.send({"kind": "heartbeat"})
            lease, job = self._lease, self._job
            if lease is None or job is None:
                continue
            try:
                with self._database.write() as tx:
                    ledger.renew(tx, lease, self._settings.lease_seconds)
            except Fenced:
                log.warning("lease lost", extra={"run_id": lease.run_id})
            # Also the fallback for a command whose wake-up was lost.
            job.control.set()

    def _work(self) -> bool:
        """Do the next run, if there is one."""
        with self._database.write() as tx:
            leased = ledger.lease_next(
                tx,
                self._name,
                os.getpid(),
                self._settings.lease_seconds,
                device=self.device,
                versions=versions() | {"threads": str(torch.get_num_threads())},
            )
        if leased is None:
            return False
        run, lease = leased
        self._pipe.send({"kind": "busy", "run_id": run.id})
        job = DatabaseJob(
            database=self._database,
            lease=lease,
            run=run,
            files=self._files,
            checkpoints=self._settings.checkpoints,
            send_live=lambda event: self._pipe.send({"kind": "live", "event": event}),
            stop=self._stop,
        )
        self._lease, self._job = lease, job
        try:
            self._attempt(run, job, lease)
        except Fenced as error:
            log.warning("%s", error, extra={"run_id": run.id})
        finally:
            self._lease = self._job = None
            job.close()
            self._pipe.send({"kind": "idle"})
        return True

    def _attempt(self, run: Run, job: DatabaseJob, lease: Lease) -> None:
        log.info("attempt %d of run %s", run.attempt, run.id, extra={"run_id": run.id, "trace_id": run.trace_id})
        if run.attempt > 1:
            job.log(f"attempt {run.attempt}")
        try:
            self._execute(run, job)
        except (Paused, Cancelled) as signalled:
            self._finish(job, lease, Action.stopped)
            job.clean(checkpoints=False)
            log.info("%s", type(signalled).__name__.lower(), extra={"run_id": run.id})
        except Stopped:
            job.flush()
            with self._database.write() as tx:
                ledger.interrupt(
                    tx,
                    ledger.held(tx.connection, lease),
                    reason="the worker was stopped",
                    limit=self._settings.max_fruitless_attempts,
                    at_fault=False,
                    log_tail=(),
                )
        except Fenced:
            raise
        except Exception as error:
            log.exception("run failed", extra={"run_id": run.id, "trace_id": run.trace_id})
            self._finish(job, lease, Action.fail, error)
        else:
            self._finish(job, lease, Action.succeed)
            job.clean(checkpoints=True)

    def _execute(self, run: Run, job: DatabaseJob) -> None:
        job.poll()
        engine.work(run, job, self._settings)

    def _finish(self, job: DatabaseJob, lease: Lease, action: Action, error: Exception | None = None) -> None:
        job.flush()
        with self._database.write() as tx:
            run = ledger.held(tx.connection, lease)
            failure = None
            if error is not None:
                lines = records.logs_of(tx.connection, run.id, 50)
                failure = describe(error, [line.message for line in lines])
            run = ledger.transition(tx, run, action, failure)
            if action is Action.succeed:
                rates.record(tx, run)


def main(settings: Settings, name: str) -> None:
    logs.configure("worker", settings.log_level)
    Worker(settings, name).serve()
    # Everything is committed; taking torch apart in good order costs seconds on a busy machine.
    os._exit(0)
