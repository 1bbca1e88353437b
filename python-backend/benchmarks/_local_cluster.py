"""A real cluster on this machine, for tests and benchmarks: one `ray start` a node, each with one core to count on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

START_SECONDS = 240
"""For one node; the second try has as long. On a busy machine Ray gives its own parts 15 s, and then gives up."""
STORE_BYTES = 100 * 1024**2
BACKEND = Path(__file__).resolve().parents[1]


@dataclass
class LocalNode:
    process: subprocess.Popen[str]
    raylet: psutil.Process
    id: str
    """Ray's own."""

    def kill(self) -> None:
        """As a machine that fails: no good-bye, and nothing on it lives on."""
        for process in [self.raylet, *self.raylet.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@dataclass
class LocalCluster:
    address: str
    nodes: list[LocalNode]


@contextmanager
def local_cluster(nodes: int) -> Iterator[LocalCluster]:
    """Started before anything else runs, one after the other."""
    # sockets lie in it, whose paths may not be long
    directory = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    port = _free_port()
    address = f"127.0.0.1:{port}"
    head = ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={directory}"]
    started: list[LocalNode] = []
    try:
        started.append(_started(head, directory / "log0"))
        while len(started) < nodes:
            started.append(_started([f"--address={address}"], directory / f"log{len(started)}"))
        yield LocalCluster(address, started)
    finally:
        for node in reversed(started):
            _end(node.process)
        shutil.rmtree(directory, ignore_errors=True)


def _started(place: list[str], output: Path) -> LocalNode:
    for _ in range(2):
        process = _start(place, output)
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if "Ray runtime started" in output.read_text(errors="replace"):
                return _node(process)
            time.sleep(0.2)
        _end(process)
    raise RuntimeError(f"a node of the cluster did not start: {output.read_text(errors='replace')[-2000:]}")


def _start(place: list[str], output: Path) -> subprocess.Popen[str]:
    common = ["--node-ip-address=127.0.0.1", "--num-cpus=1", f"--object-store-memory={STORE_BYTES}"]
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats", *common, *place]
    # what tests and benchmarks send is found there
    environment = {**os.environ, "PYTHONPATH": f"{BACKEND / 'tests'}:{BACKEND}", "OMP_WAIT_POLICY": "PASSIVE"}
    # Ray yields to everything else on a machine, which a test on a busy one would wait for
    environment["RAY_worker_niceness"] = "0"
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w") as file:
        return subprocess.Popen(  # noqa: S603 - this environment's own program
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, text=True, start_new_session=True
        )


def _node(process: subprocess.Popen[str]) -> LocalNode:
    children = psutil.Process(process.pid).children(recursive=True)
    raylet = next(one for one in children if one.name() == "raylet")
    named = next(argument for argument in raylet.cmdline() if argument.startswith("--node_id="))
    return LocalNode(process, raylet, named.partition("=")[2])


def _end(process: subprocess.Popen[str]) -> None:
    """It and all that it started."""
    with suppress(psutil.NoSuchProcess):
        family = [process, *psutil.Process(process.pid).children(recursive=True)]
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        for one in family:
            try:
                one.wait(10)
            except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    one.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
