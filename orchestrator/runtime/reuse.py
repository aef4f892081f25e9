"""Rows that an earlier run has finished: left out of chunks, put back into parts."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from orchestrator.data.decode import decode
from orchestrator.data.finished_rows import Positions
from orchestrator.data.parts import PartStore, combine, stream_of
from orchestrator.data.previous import NOT_FOUND, Previous
from orchestrator.data.rows import Chunk
from orchestrator.runtime.replica import ChunkResult


class Reuse:
    """Knows which rows of a chunk are finished already, by their keys."""

    def __init__(
        self, previous: Previous | None, fields: tuple[str, ...], id_field: str | None
    ) -> None:
        self._previous = previous
        self._fields = fields
        self._id_field = id_field
        self._lock = threading.Lock()
        self._found: dict[int, tuple[Positions, list[int]]] = {}

    def mark(self, chunk: Chunk) -> Chunk:
        """The chunk with its finished rows in `skip`."""
        if self._previous is None:
            return chunk
        rows, _failures = decode(chunk, self._fields, self._id_field)
        positions = self._previous.find(rows.keys)
        hits = (positions != NOT_FOUND).nonzero()[0]
        if not len(hits):
            return chunk
        numbers = [rows.numbers[hit] for hit in hits.tolist()]
        with self._lock:
            self._found[chunk.first_row] = (positions[hits], numbers)
        return replace(chunk, skip=frozenset(numbers))

    def complete(self, chunk: Chunk, table: bytes | None) -> bytes:
        """A chunk's new results, if any, and its finished rows, in order."""
        with self._lock:
            found = self._found.pop(chunk.first_row, None)
        if found is None:
            assert table is not None
            return table
        assert self._previous is not None
        reused = self._previous.take(*found)
        return stream_of(reused) if table is None else combine(table, reused)


class Parts:
    """Writes parts, and feeds their paths to the merge as they come."""

    def __init__(self, store: PartStore, reuse: Reuse) -> None:
        self._store = store
        self._reuse = reuse
        self._paths: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        for path in store.paths():
            self._paths.put(path)

    def write(self, chunk: Chunk, result: ChunkResult | None) -> None:
        """Put one part on disk, durably."""
        table = self._reuse.complete(chunk, result.table if result else None)
        failures = result.failures if result else ()
        self._paths.put(self._store.write(chunk.first_row, chunk.rows, table, failures))

    def end(self) -> None:
        """Nothing more is written: the merge may end."""
        self._paths.put(None)

    def paths(self) -> Iterator[Path]:
        """Every part, in the order in which they were written; blocks for the next."""
        while (path := self._paths.get()) is not None:
            yield path
