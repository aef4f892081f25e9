"""The two doors of the gather loop: to the replicas, and to the disk."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from orchestrator.data.rows import Chunk
from orchestrator.runtime.replica import ChunkResult


class ReplicaPort(Protocol):
    """The door to one replica."""

    name: str

    def run(self, chunk: Chunk) -> Future[ChunkResult]:
        """Start one chunk; the future fails with OrchError if the replica dies."""
        ...


class PartSink(Protocol):
    """Where finished chunks go."""

    def write(self, chunk: Chunk, part: ChunkResult | None) -> None:
        """Put one part on disk, durably; `None`: every row of it was reused."""
        ...
