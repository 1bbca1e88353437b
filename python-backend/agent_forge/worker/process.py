"""The worker process: leases queued runs, one at a time, and does their work with torch."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import torch
from sqlalchemy.exc import DBAPIError

from .. import logs
from ..background import threads
from ..background.backoff import STORE, Backoff
from ..contract.errors import Cancelled, Paused
from ..contract.run import Run
from ..execution.executor import Executor
from ..registry.files import ModelFiles
from ..settings import Settings
from ..store import rates, result_rows, run_rows
from ..store.database import Database
from ..store.errors import Fenced
from ..store.faults import DISK_FULL, in_short, store_fault
from ..store.run_rows import Lease
from ..store.states import Action
from ..versions import versions
from . import memory, wiring
from .calibration import calibrate
from .errors import Stopped
from .failure import describe
from .job import DatabaseJob
from .pipe import Upward, listen

if TYPE_CHECKING:
    from ..execution.cluster.connection import Cluster

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
"""Between two looks at the queue without a wake-up: a lost message only delays."""
EXIT_SECONDS = 10.0
"""To stop in good order once the parent is gone; after that the process just ends."""


class Worker:
    """One process, one run at a time. `name` is what its leases are held under."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings, self._name = settings, name
        self._pipe = Upward()
        self._database = Database(
            settings.database,
            on_commit=lambda seq: self._pipe.send({"kind": "committed", "seq": seq}),
            busy_seconds=settings.database_busy_seconds,
        )
        # A renewal that waited long for the lock would keep the next sign of life from the parent.
        self._heart = Database(settings.database, busy_seconds=settings.heartbeat_seconds)
        self._files = ModelFiles(settings.models, settings.disk_reserve_bytes)
        self._stop, self._wake = threading.Event(), threading.Event()
        self._job: DatabaseJob | None = None
        self._lease: Lease | None = None
        self._patience = Backoff(STORE)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._cluster: Cluster | None = None

    def serve(self) -> None:
        """Until told to stop, until stdin ends, or until a run has left too much memory behind."""
        self._connect()  # before anything else: it takes the signals for itself
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
        signal.signal(signal.SIGTERM, lambda *_: self._halt())
        os.nice(self._settings.nice)
        if self._settings.threads is not None:
            torch.set_num_threads(self._settings.threads)
        listen(self._receive, self._abandoned)
        threads.start("heartbeat", self._beat)
        self._calibrate()
        self._pipe.send({"kind": "ready", "device": self.device})
        while not self._stop.is_set():
            try:
                worked = self._work()
            except Exception as error:
                self._wait_for_store(error)
                continue
            if not worked:
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()
            elif (held := memory.own_bytes()) > self._settings.worker_memory_bytes:
                log.info("%d MB are held after a run: a fresh worker follows", held // 10**6)
                return

    def _connect(self) -> None:
        """Where runs are worked on by a cluster: this process computes with as many threads as a child, so that what
        it measures itself can be compared."""
        if self._settings.executor != "ray":
            return
        from ..execution.cluster.connection import Cluster

        self._cluster = Cluster(self._settings.ray_address, self._settings.models, self._settings.threads)
        torch.set_num_threads(self._cluster.threads)
        self._tell_nodes()

    def _tell_nodes(self) -> None:
        if self._cluster is not None:
            nodes = [node.model_dump(mode="json") for node in self._cluster.nodes()]
            self._pipe.send({"kind": "nodes", "nodes": nodes})

    def _calibrate(self) -> None:
        """Measures the machine, once per database; a later worker does it where the result cannot be stored."""
        try:
            if self._database.get_meta("calibration") is None:
                self._database.set_meta("calibration", calibrate().model_dump_json())
        except Exception as error:
            self._wait_for_store(error)

    def _wait_for_store(self, error: Exception) -> None:
        """A pause after a fault of the store, longer each time; on a full disk, until there is room. Raises others."""
        fault = store_fault(error)
        if fault is None:
            raise error
        wait = self._patience.next()
        log.error("%s; again in %.1f s: %s", fault.code, wait, in_short(error))
        self._stop.wait(wait)
        told = False
        while fault is DISK_FULL and not self._stop.is_set() and self._missing_room():
            if not told:
                log.error("disk_full: work goes on when %d bytes are free", self._settings.disk_reserve_bytes)
                told = True
            self._stop.wait(IDLE_SECONDS)

    def _missing_room(self) -> bool:
        return shutil.disk_usage(self._settings.data).free < self._settings.disk_reserve_bytes

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
            self._tell_nodes()
            lease, job = self._lease, self._job
            if lease is None or job is None:
                continue
            try:
                with self._heart.write() as tx:
                    run_rows.renew(tx, lease, self._settings.lease_seconds)
            except Fenced:
                log.warning("lease lost", extra={"run_id": lease.run_id})
            except DBAPIError as error:
                # The parent still hears from this worker, and leaves the run to it.
                log.warning("the lease could not be renewed: %s", in_short(error), extra={"run_id": lease.run_id})
            # Also the fallback for a command whose wake-up was lost.
            job.control.set()

    def _work(self) -> bool:
        """Do the next run, if there is one."""
        with self._database.write() as tx:
            leased = run_rows.lease_next(
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
            self._patience.reset()
        except Fenced as error:
            log.warning("%s", error, extra={"run_id": run.id})
        except Exception as error:
            self._interrupt(lease, error)
            raise
        finally:
            self._lease = self._job = None
            job.close()
            self._pipe.send({"kind": "idle"})
        return True

    def _interrupt(self, lease: Lease, error: Exception) -> None:
        """The store failed under the run: hand it back with the reason, as soon as that can be written."""
        fault = store_fault(error)
        if fault is None:
            return
        extra = {"run_id": lease.run_id}
        log.error("the run cannot go on now: %s: %s", fault.code, in_short(error), extra=extra)
        patience = Backoff(STORE)
        while not self._stop.is_set():
            try:
                with self._database.write() as tx:
                    run_rows.interrupt(
                        tx,
                        run_rows.held(tx.connection, lease),
                        reason=f"{fault.code}: {in_short(error)}",
                        limit=self._settings.max_fruitless_attempts,
                        at_fault=not fault.passes,
                        log_tail=[line.message for line in result_rows.logs_of(tx.connection, lease.run_id, 50)],
                        cause=describe(error, []),
                    )
            except Fenced:
                return
            except DBAPIError as again:
                log.warning("the interruption cannot be written yet: %s", in_short(again), extra=extra)
                self._stop.wait(patience.next())
            else:
                log.warning("run interrupted: %s", fault.code, extra=extra)
                return

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
                run_rows.interrupt(
                    tx,
                    run_rows.held(tx.connection, lease),
                    reason="the worker was stopped",
                    limit=self._settings.max_fruitless_attempts,
                    at_fault=False,
                    log_tail=(),
                )
        except Fenced:
            raise
        except Exception as error:
            if store_fault(error) is not None:
                raise
            log.exception("run failed", extra={"run_id": run.id, "trace_id": run.trace_id})
            self._finish(job, lease, Action.fail, error)
        else:
            self._finish(job, lease, Action.succeed)
            job.clean(checkpoints=True)

    def _execute(self, run: Run, job: DatabaseJob) -> None:
        job.poll()
        wiring.work(run, job, self._settings, self._executor(job))

    def _executor(self, job: DatabaseJob) -> Executor | None:
        if self._cluster is None:
            return None
        from ..execution.cluster.executor import RayExecutor

        return RayExecutor(self._cluster, job)

    def _finish(self, job: DatabaseJob, lease: Lease, action: Action, error: Exception | None = None) -> None:
        job.flush()
        with self._database.write() as tx:
            run = run_rows.held(tx.connection, lease)
            failure = None
            if error is not None:
                lines = result_rows.logs_of(tx.connection, run.id, 50)
                failure = describe(error, [line.message for line in lines])
            run = run_rows.transition(tx, run, action, failure)
            if action is Action.succeed:
                rates.record(tx, run)


def main(settings: Settings, name: str) -> None:
    logs.configure("worker", settings.log_level)
    try:
        Worker(settings, name).serve()
    except Exception:
        log.critical("this worker cannot go on", exc_info=True)
        logging.shutdown()
        os._exit(threads.EXIT_CODE)
    # Everything is committed; tearing torch down in good order costs seconds on a busy machine.
    os._exit(0)
