"""When each chunk was on disk: `.orch/timings.jsonl`, for who measures a job."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.data.rows import Chunk
from orchestrator.runtime.replica import ChunkResult
from orchestrator.runtime.reuse import Parts


@dataclass(slots=True)
class Timings:
    """When each chunk was on disk: seconds since the first one was begun."""

    path: Path
    started: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, rows: int) -> None:
        """One more chunk."""
        line = json.dumps({"t": time.monotonic() - self.started, "rows": rows})
        with self.lock, self.path.open("a") as file:
            file.write(line + "\n")


@dataclass(frozen=True, slots=True)
class TimedParts:
    """Writes parts and notes when."""

    parts: Parts
    timings: Timings

    def write(self, chunk: Chunk, result: ChunkResult | None) -> None:
        """Put one part on disk, durably."""
        self.parts.write(chunk, result)
        self.timings.note(chunk.rows - len(chunk.skip))
