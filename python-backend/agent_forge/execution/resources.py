"""What any process of the engine takes."""

from __future__ import annotations

PROCESS_BYTES = 450 * 1024**2
"""Resident memory of a process with torch loaded and no model, measured."""
