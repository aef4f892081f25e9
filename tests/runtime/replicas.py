"""Replicas without Ray and without a model, and what a run of them leaves on disk."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from orchestrator.data.decode import decode
from orchestrator.data.merge import merge
from orchestrator.data.parts import PartStore, encode_part, in_order, read_part
from orchestrator.data.previous import Previous
from orchestrator.data.reader import Reader
from orchestrator.data.rows import Chunk, ChunkFormat
from orchestrator.data.source import Source
from orchestrator.engines.base import Held
from orchestrator.errors import Code, OrchError
from orchestrator.runtime.gather import Gather
from orchestrator.runtime.progress import Progress
from orchestrator.runtime.replica import ChunkResult
from orchestrator.runtime.reuse import Parts, Reuse
from tests.data.runs import work_on

FIELDS = ("text",)


def lost(name: str) -> OrchError:
    return OrchError.of(Code.GPU_LOST, f"{name} is gone")


def result_of(chunk: Chunk) -> ChunkResult:
    """What a replica makes of a chunk: rows whose text holds 'bad' fail."""
    rows, failures = decode(chunk, FIELDS, None)
    kept, columns, more = work_on(rows)
    return ChunkResult(
        encode_part(kept, columns),
        len(kept),
        [*failures, *more],
        0,
        Held(100 + len(kept)),
    )


class ThreadReplica:
    """Works on its chunks in turn; dies when told, with all that is in it.

    Attributes:
        ran: Every chunk that it was given.
    """

    def __init__(
        self,
        name: str,
        dies: Callable[[Chunk, int], bool] = lambda _chunk, _nth: False,
        on_death: Callable[[], None] = lambda: None,
        on_chunk: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.ran: list[Chunk] = []
        self._dies = dies
        self._on_death = on_death
        self._on_chunk = on_chunk
        self._dead = False
        self._thread = ThreadPoolExecutor(1)

    def run(self, chunk: Chunk) -> Future[ChunkResult]:
        self.ran.append(chunk)
        return self._thread.submit(self._work, pickle.dumps(chunk), len(self.ran))

    def _work(self, sent: bytes, nth: int) -> ChunkResult:
        chunk: Chunk = pickle.loads(sent)
        self._on_chunk()
        if not self._dead and self._dies(chunk, nth):
            self._dead = True
            self._on_death()
        if self._dead:
            raise lost(self.name)
        returned: ChunkResult = pickle.loads(pickle.dumps(result_of(chunk)))
        return returned


class HeldReplica:
    """Holds every chunk until the test lets it go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: list[tuple[Chunk, Future[ChunkResult]]] = []
        self._changed = threading.Condition()

    def run(self, chunk: Chunk) -> Future[ChunkResult]:
        future: Future[ChunkResult] = Future()
        with self._changed:
            self.held.append((chunk, future))
            self._changed.notify_all()
        return future

    def wait_for(self, chunks: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.held) >= chunks, 10)

    def finish(self, place: int = 0) -> None:
        with self._changed:
            chunk, future = self.held.pop(place)
        future.set_result(result_of(chunk))

    def fail(self, place: int = 0) -> None:
        with self._changed:
            _, future = self.held.pop(place)
        future.set_exception(lost(self.name))


class Bench:
    """One run's real reader, store, parts and gather loop in a folder."""

    def __init__(self, folder: Path, texts: Sequence[str], depth: int = 2) -> None:
        self.folder = folder
        self.texts = list(texts)
        path = folder / "in.txt"
        path.write_text("".join(f"{text}\n" for text in texts))
        self.source = Source((path,), ChunkFormat.TEXT)
        self.store = PartStore(folder / ".orch" / "parts")
        self.reuse = Reuse(Previous.open(folder / ".orch"), FIELDS, None)
        self.parts = Parts(self.store, self.reuse)
        self.reader = Reader(self.source, FIELDS, self.store.done_ranges())
        self.progress = Progress()
        self.gather = Gather(self.reader, self.parts, self.reuse, self.progress, depth)

    @contextmanager
    def running(self) -> Iterator[Future[bool]]:
        """The loop on a thread of its own; ended by force if the test leaves early."""
        with ThreadPoolExecutor(1) as pool:
            try:
                yield pool.submit(self.gather.run)
            finally:
                self.gather.stop(force=True)

    def wait_rows(self, rows: int) -> None:
        """Until so many rows are on disk."""
        view = self.progress.view
        while view.rows_done < rows:
            newer = self.progress.watch(view.version, 10)
            assert newer.version > view.version, f"no progress after {view.rows_done}"
            view = newer

    def ranges(self) -> list[tuple[int, int]]:
        return [(p.first_row, p.rows) for p in map(read_part, self.store.paths())]

    def merged(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Results and failures, by the real merge; it refuses gaps and repeats."""
        out = self.folder / "out"
        summary = merge(in_order(self.store.paths()), out, "jsonl")
        return _lines(summary.path), _lines(out / "failed.jsonl")

    def check_whole(self) -> None:
        """Every row is on disk exactly once, with its own value, in order."""
        ranges = self.ranges()
        covered = [n for first, rows in ranges for n in range(first, first + rows)]
        assert covered == list(range(len(self.texts)))
        good, failed = self.merged()
        assert [row["row"] for row in good] == self.rows_of(bad=False)
        assert [row["row"] for row in failed] == self.rows_of(bad=True)
        for row in good:
            assert row["embedding"][0] * 3 == len(self.texts[row["row"]])

    def rows_of(self, *, bad: bool) -> list[int]:
        return [n for n, text in enumerate(self.texts) if ("bad" in text) is bad]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]
