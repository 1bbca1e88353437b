"""Whether there is a cluster to reach, without importing ray."""

from __future__ import annotations

import socket
from importlib.util import find_spec

from ..errors import NoCluster

SECONDS = 5.0
"""Ray itself waits for two minutes, and then ends the process."""
START = "start one on this machine by `ray start --head --port=6379`"


def require(address: str | None) -> str:
    """The address, where ray is installed and something listens there. Raises NoCluster."""
    if find_spec("ray") is None:
        raise NoCluster("EXECUTOR=ray needs Ray, which is not installed: run `npm run setup -- ray`")
    if not address:
        raise NoCluster(f"EXECUTOR=ray needs RAY_ADDRESS, as host:port of the cluster's head: {START}")
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), SECONDS).close()
    except (OSError, ValueError) as error:
        raise NoCluster(f"RAY_ADDRESS: no cluster at {address} ({error}): {START}, or correct the address") from None
    return address
