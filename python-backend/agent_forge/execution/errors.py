"""What keeps work from going to a cluster."""

from __future__ import annotations


class NoCluster(RuntimeError):  # noqa: N818 - names what is missing
    """Ray is not installed, or there is no cluster to reach; the text says which, and what to do."""


class OtherNode(RuntimeError):  # noqa: N818 - names what the node is
    """A node runs another version of this program or of torch, or cannot read what it is told to."""
