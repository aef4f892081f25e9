"""What ends a job from within the gather loop, and what it says then."""

from __future__ import annotations

import errno
import os
import re
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.data.reader import Reader
from orchestrator.data.rows import Chunk
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.runtime.gather import MAX_DEATHS, MAX_UNWRITTEN, Gather
from orchestrator.runtime.replica import ChunkResult
from orchestrator.runtime.reuse import Parts
from tests.runtime.replicas import FIELDS, Bench, ThreadReplica


def fault_of(bench: Bench) -> Fault:
    with pytest.raises(OrchError) as caught:
        bench.gather.run()
    return caught.value.fault


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 120), st.integers(1, 4), st.data())
def test_rows_that_kill_three_replicas_are_named_and_no_others(
    total: int, depth: int, data: st.DataObject
) -> None:
    poison = data.draw(st.integers(0, total - 1))
    texts = ["poison" if n == poison else "abc" for n in range(total)]
    born: list[ThreadReplica] = []
    with TemporaryDirectory() as name:
        bench = Bench(Path(name), texts, depth)

        def bear() -> None:
            born.append(
                ThreadReplica(
                    f"replica-{len(born)}",
                    dies=lambda chunk, _nth: b"poison" in chunk.payload,
                    on_death=bear,
                )
            )
            bench.gather.add(born[-1])

        bear()
        fault = fault_of(bench)
        finished = bench.ranges()
    assert fault.code is Code.GPU_LOST
    named = re.fullmatch(
        r"rows (\d+) to (\d+) ended 3 replicas, the last one so: .* is gone",
        fault.message,
    )
    assert named is not None
    assert int(named[1]) <= poison <= int(named[2])
    assert all(not first <= poison < first + rows for first, rows in finished)
    assert len(bench.progress.view.lost) == MAX_DEATHS


def test_outputs_that_cannot_be_stored_end_the_job_at_once(tmp_path: Path) -> None:
    refusal = OrchError.of(Code.USER_CODE_RAISED, "the output cannot be stored")

    @dataclass
    class Storing:
        name: str = "a"
        calls: list[Chunk] = field(default_factory=list)

        def run(self, chunk: Chunk) -> Future[ChunkResult]:
            self.calls.append(chunk)
            future: Future[ChunkResult] = Future()
            future.set_exception(refusal)
            return future

    bench = Bench(tmp_path, ["abc"] * 50)
    replica = Storing()
    bench.gather.add(replica)
    assert fault_of(bench) == refusal.fault
    assert bench.progress.view.lost == ()
    assert len(replica.calls) == 2


@dataclass
class FullDisk:
    """Takes some parts; then there is no space left."""

    parts: Parts
    room: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, chunk: Chunk, part: ChunkResult | None) -> None:
        with self.lock:
            self.room -= 1
            if self.room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.parts.write(chunk, part)


@pytest.mark.parametrize("room", [0, 1, 3])
def test_a_full_disk_ends_the_job_and_keeps_what_is_there(
    tmp_path: Path, room: int
) -> None:
    bench = Bench(tmp_path, ["abc"] * 5_000)
    disk = FullDisk(bench.parts, room)
    bench.gather = Gather(bench.reader, disk, bench.reuse, bench.progress, 2)
    bench.gather.add(ThreadReplica("a"))
    assert "No space left on device" in fault_of(bench).message
    assert len(bench.ranges()) == room
    again = Bench(tmp_path, bench.texts)
    again.gather.add(ThreadReplica("b"))
    again.gather.run()
    again.check_whole()


def test_input_that_cannot_be_read_ends_the_job(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["abc"])

    class Broken(Reader):
        def next_chunk(self, max_rows: int, max_bytes: int) -> Chunk | None:
            raise OrchError.of(Code.BAD_VALUE, f"no {max_rows} rows in {max_bytes}")

    reader = Broken(bench.source, FIELDS)
    bench.gather = Gather(reader, bench.parts, bench.reuse, bench.progress, 2)
    bench.gather.add(ThreadReplica("a"))
    assert fault_of(bench).code is Code.BAD_VALUE


@dataclass
class SlowDisk:
    """Notes how many chunks were read and not yet written."""

    parts: Parts
    reader: Counting
    written: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, chunk: Chunk, part: ChunkResult | None) -> None:
        self.parts.write(chunk, part)
        with self.lock:
            self.most = max(self.most, self.reader.chunks - self.written)
            self.written += 1


class Counting(Reader):
    """Counts what it gives."""

    chunks = 0

    def next_chunk(self, max_rows: int, max_bytes: int) -> Chunk | None:
        chunk = super().next_chunk(max_rows, max_bytes)
        self.chunks += chunk is not None
        return chunk


def test_reused_rows_need_no_replica_and_never_pile_up(tmp_path: Path) -> None:
    texts = [f"{n:06d}" for n in range(2_000)]
    first = Bench(tmp_path, texts)
    first.gather.add(ThreadReplica("a"))
    first.gather.run()
    (tmp_path / ".orch" / "previous").mkdir()
    (tmp_path / ".orch" / "parts").rename(tmp_path / ".orch" / "previous" / "1")

    bench = Bench(tmp_path, texts)
    reader = Counting(bench.source, FIELDS)
    disk = SlowDisk(bench.parts, reader)
    bench.gather = Gather(reader, disk, bench.reuse, bench.progress, 2)
    idle = ThreadReplica("b")
    bench.gather.add(idle)
    assert bench.gather.run() is False
    bench.check_whole()
    assert idle.ran == []
    assert bench.progress.view.rows_reused == len(texts)
    assert disk.most <= MAX_UNWRITTEN + 1
    # Neither in eights, as one reads for a replica of unknown speed.
    assert reader.chunks < 20
