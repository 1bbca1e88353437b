"""Both APIs against their specifications: Schemathesis makes requests from them, alone and chained by links.

No answer may be a server error, of a status or type that is not documented, or of another shape than its schema.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from faults.conftest import EXAMPLES, SEED, programs
from forge_server import TOKEN, Server
from run_reads import candidates_of

ROOT = Path(__file__).resolve().parents[3]
COVERAGE_FROM = 10
"""Its phase makes thousands of requests whatever the count is: it is for the larger scale."""

LEFT_OUT = {
    "positive_data_acceptance": "what a schema cannot say is refused with reason: a file that is not there, a cursor "
    "of another list, a parent that is not registered, bytes that are no safetensors file",
    "unsupported_method": "the gateway's POST /runs/{id}/{command} matches /runs/{id}/logs as well and refuses it "
    "as a command: 422",
    "missing_required_header": "it leaves the token out of requests whose other headers are too large for any answer "
    "but 431; `ignored_auth`, which is made, asks each operation without a token",
    "allow_header_conformance": "the framework names the methods of one matching route, not of all",
}
"""Checks, and why they are not made."""
ENDLESS = "/v1/events/stream"
"""The one operation that is not tried: its answer never ends."""


def explore(specification: str, url: str, token: str, candidate: str, place: Path, *selection: str) -> str:
    """What Schemathesis printed. Fails where it found something."""
    phases = ["examples", "fuzzing", "stateful", *(["coverage"] if EXAMPLES >= COVERAGE_FROM else [])]
    config = place / "schemathesis.toml"
    # No request of these would get beyond 404: a candidate's id is not in any answer that links name.
    config.write_text(
        '[[operations]]\ninclude-path-regex = "/candidates/.candidate_id"\n'
        f"parameters = {{ candidate_id = {json.dumps(candidate)} }}\n"
        # Headers that are too large are refused below the application, whatever else they lack.
        "[checks]\n"
        "negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 415, 416, 422, 429, 431]\n"
    )
    command = [
        str(programs() / "schemathesis"),
        f"--config-file={config}",
        "run",
        specification,
        f"--url={url}",
        f"--header=Authorization: Bearer {token}",
        f"--phases={','.join(phases)}",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--checks=all",
        f"--exclude-checks={','.join(LEFT_OUT)}",
        "--continue-on-failure",
        "--no-shrink",
        "--suppress-health-check=all",
        "--warnings=off",
        # Limits on hanging, not on speed.
        "--request-timeout=300",
        "--max-response-time=300",
        "--no-color",
        *selection,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, check=False)
    made = re.search(r"(\d+) generated", done.stdout)
    print(f"\n{specification}: {made and made[1]} requests; left out: {', '.join([*LEFT_OUT, *selection])}")  # noqa: T201
    sys.stderr.write(f"{specification}: {made and made[0]}\n")
    assert made, done.stdout + done.stderr
    again = f"run it again: npm run test:faults -- specifications --examples {EXAMPLES} --seed {SEED}"
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{again}"
    return done.stdout


@pytest.fixture(scope="module")
def candidate(lived: Server) -> str:
    run = next(run for run in lived.get("/v1/runs")["items"] if run["kind"] == "evomerge")
    found: str = candidates_of(lived.get, run["id"])[0]["id"]
    return found


@pytest.fixture
def gateway(lived: Server, tmp_path: Path) -> Iterator[str]:
    """Before the same backend, on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path / "gateway"),
        "PORT": str(port),
        "BACKEND_URL": str(lived.client.base_url),
        "BACKEND_TOKEN": TOKEN,
        "GATEWAY_TOKEN": TOKEN + "-and-long-enough",
        "RATE_LIMIT": "0",
        "LOG_LEVEL": "error",
    }
    program = ROOT / "gateway/dist/gateway/src/main.js"
    process = subprocess.Popen(["node", str(program)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                if httpx.get(f"{url}/readyz").json()["status"] == "ready":
                    break
            except httpx.TransportError:
                pass
            assert process.poll() is None
            assert time.monotonic() < deadline, "the gateway is not ready"
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.timeout(1800)
def test_the_backend_keeps_to_its_specification(lived: Server, candidate: str, tmp_path: Path) -> None:
    url = str(lived.client.base_url)
    explore(str(ROOT / "openapi/backend.json"), url, TOKEN, candidate, tmp_path, f"--exclude-path={ENDLESS}")


@pytest.mark.timeout(1800)
def test_the_gateway_keeps_to_its_specification(gateway: str, candidate: str, tmp_path: Path) -> None:
    token = TOKEN + "-and-long-enough"
    # As it is served: with everything in one document, which the file refers to.
    served = tmp_path / "gateway.json"
    served.write_text(
        httpx.get(f"{gateway}/api/openapi.json", headers={"Authorization": f"Bearer {token}"}).raise_for_status().text
    )
    explore(str(served), gateway, token, candidate, tmp_path)
