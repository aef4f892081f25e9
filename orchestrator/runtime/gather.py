"""Keeps every replica fed and brings the parts home: the runner's inner loop.

One thread hands out chunks and takes results; no replica ever waits for the disk,
because parts are written by threads of their own. A replica that dies gives its
chunks back, and they run elsewhere.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from orchestrator.data.reader import Reader
from orchestrator.data.rows import Chunk
from orchestrator.engines.base import Held
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.runtime.ports import PartSink, ReplicaPort
from orchestrator.runtime.progress import Progress
from orchestrator.runtime.replica import ChunkResult
from orchestrator.runtime.reuse import Reuse
from orchestrator.runtime.sizing import GROWTH, MAX_BYTES, ChunkSizer

MAX_DEATHS = 3
"""Replicas that may die over one chunk before the job is given up."""
MIN_AHEAD_S = 0.4
"""Work that should be in flight on a replica even while its chunks are small."""
MAX_IN_FLIGHT = 16
MAX_PASSING_ROWS = 512
"""Rows read at a time where all are reused; the first that are not may be as many."""
WRITERS = 2
MAX_UNWRITTEN = 8
"""Parts that may wait for the disk; then no new chunks are handed out."""


@dataclass(slots=True)
class _Feed:
    """One replica, as the loop sees it."""

    port: ReplicaPort
    in_flight: int = 0
    rows: int = 0
    """Rows of the chunks in flight."""
    alone: bool = False
    """It has a suspect, and gets nothing beside it."""
    sizer: ChunkSizer = field(default_factory=ChunkSizer)


@dataclass(slots=True)
class _Task:
    """A chunk on its way, and how many replicas died over it."""

    chunk: Chunk
    deaths: int = 0

    @property
    def suspect(self) -> bool:
        """Whether it must run alone: one more death over it ends the job."""
        return self.deaths == MAX_DEATHS - 1


class Gather:
    """Takes every chunk of the input through some replica, exactly once to disk."""

    def __init__(
        self,
        reader: Reader,
        sink: PartSink,
        reuse: Reuse,
        progress: Progress,
        depth: int,
    ) -> None:
        self._reader = reader
        self._sink = sink
        self._reuse = reuse
        self._progress = progress
        self._depth = depth
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._feeds: dict[str, _Feed] = {}
        self._again: deque[_Task] = deque()
        self._in_flight = 0
        self._writing = 0
        self._exhausted = False
        self._stopping = False
        self._force = False
        self._handed = 0
        self._passing = 0
        self._fault: Fault | None = None
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="writer")

    def add(self, port: ReplicaPort) -> None:
        """Feed one more replica; a name seen before is its new life."""
        self._events.put(lambda: self._feeds.update({port.name: _Feed(port)}))

    def stop(self, *, force: bool) -> None:
        """Hand out nothing more; with `force` do not wait for chunks in flight."""
        self._events.put(lambda: self._stop(force=force))

    def run(self) -> bool:
        """Loop until every row is on disk.

        Returns:
            Whether it was stopped before that.

        Raises:
            OrchError: A chunk cannot be done, or the disk refuses it.
        """
        with self._writers:
            while not self._at_rest():
                self._events.get()()
                self._feed_all()
        if self._fault is not None:
            raise OrchError((self._fault,))
        return self._stopping

    def _at_rest(self) -> bool:
        if self._writing:
            return False
        if self._fault is not None or (self._stopping and self._force):
            return True
        if self._in_flight:
            return False
        return self._stopping or (self._exhausted and not self._again)

    def _stop(self, *, force: bool) -> None:
        self._stopping = True
        self._force = self._force or force

    def _feed_all(self) -> None:
        # One chunk each in turn: the first chunks spread over all replicas.
        hungry = True
        while hungry and not self._stopping and self._fault is None:
            hungry = False
            for feed in self._feeds.values():
                if self._hungry(feed) and self._writing < MAX_UNWRITTEN:
                    hungry = self._feed(feed) or hungry

    def _hungry(self, feed: _Feed) -> bool:
        """Whether it should have one more chunk: by number, and small ones by time."""
        if feed.alone or (self._again and self._again[0].suspect):
            return feed.in_flight == 0
        if feed.in_flight < self._depth:
            return True
        ahead_rows = MIN_AHEAD_S * max(1.0, feed.sizer.rows_per_second)
        return feed.in_flight < MAX_IN_FLIGHT and feed.rows < ahead_rows

    def _feed(self, feed: _Feed) -> bool:
        task = self._again.popleft() if self._again else self._next(feed)
        if task is None:
            return False
        self._in_flight += 1
        feed.alone = task.suspect
        feed.in_flight += 1
        feed.rows += task.chunk.rows
        future = feed.port.run(task.chunk)
        future.add_done_callback(
            lambda done: self._events.put(lambda: self._returned(feed, task, done))
        )
        return True

    def _next(self, feed: _Feed) -> _Task | None:
        """The next chunk that has rows left to run."""
        while not self._exhausted and self._writing < MAX_UNWRITTEN:
            rows = max(self._passing, feed.sizer.rows(self._rest(), len(self._feeds)))
            try:
                chunk = self._reader.next_chunk(rows, MAX_BYTES)
            except (OrchError, OSError) as error:
                self._fault = _fault_of(error, Code.FILE_NOT_FOUND)
                return None
            if chunk is None:
                self._exhausted = True
                return None
            self._handed += chunk.rows
            chunk = self._reuse.mark(chunk)
            if len(chunk.skip) < chunk.rows:
                self._passing = 0
                return _Task(chunk)
            self._passing = min(rows * GROWTH, MAX_PASSING_ROWS)
            self._write(chunk, None, "")
        return None

    def _rest(self) -> float | None:
        """Rows not handed out yet, by the bytes they take."""
        read, total = self._reader.bytes_read, self._reader.bytes_total
        if not read or not self._handed:
            return None
        return self._handed * (total - read) / read

    def _returned(self, feed: _Feed, task: _Task, done: Future[ChunkResult]) -> None:
        self._in_flight -= 1
        feed.in_flight -= 1
        feed.rows -= task.chunk.rows
        error = done.exception()
        if error is None:
            rows = task.chunk.rows - len(task.chunk.skip)
            feed.sizer.observe(rows, time.monotonic())
            self._write(task.chunk, done.result(), feed.port.name)
            return
        self._died(feed, task, error)

    def _died(self, feed: _Feed, task: _Task, error: BaseException) -> None:
        fault = _fault_of(error)
        if fault.code is Code.USER_CODE_RAISED:
            # No replica died: the outputs of these rows cannot be stored.
            self._fault = fault
            return
        if self._feeds.get(feed.port.name) is feed:
            del self._feeds[feed.port.name]
            self._progress.lost(feed.port.name, fault)
        task.deaths += 1
        if task.deaths >= MAX_DEATHS:
            first = task.chunk.first_row
            self._fault = Fault(
                fault.code,
                f"rows {first} to {first + task.chunk.rows - 1} ended "
                f"{MAX_DEATHS} replicas, the last one so: {fault.message}",
                fault.facts,
                "look at these rows; finished rows are kept",
            )
        self._again.append(task)

    def _write(self, chunk: Chunk, part: ChunkResult | None, replica: str) -> None:
        self._writing += 1
        written = self._writers.submit(self._sink.write, chunk, part)
        written.add_done_callback(
            lambda done: self._events.put(
                lambda: self._written(chunk, part, replica, done)
            )
        )

    def _written(
        self, chunk: Chunk, part: ChunkResult | None, replica: str, done: Future[None]
    ) -> None:
        self._writing -= 1
        error = done.exception()
        if error is not None:
            self._fault = _fault_of(error)
            return
        reused, ok, failed, held = len(chunk.skip), 0, 0, Held()
        if part is not None:
            ok, failed, held = part.ok, len(part.failures), part.held
        self._progress.part(ok + reused, failed, reused, replica, held)


def _fault_of(error: BaseException, code: Code = Code.RUNNER_LOST) -> Fault:
    if isinstance(error, OrchError):
        return error.fault
    return Fault(code, f"{type(error).__name__}: {error}")
