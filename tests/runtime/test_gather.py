"""The gather loop on real files: whatever happens, each row is on disk once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.data.rows import Chunk
from tests.runtime.replicas import Bench, HeldReplica, ThreadReplica

# Lengths are multiples of three, so that a float32 keeps a third of them exactly.
TEXTS = st.lists(st.sampled_from(["abc", "bad", "efghij", "klmnopqrs"]), max_size=300)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.integers(1, 4), st.integers(1, 3), st.lists(st.integers(1, 6)))
@example(["abc"] * 300, 1, 1, [1, 1])
@example([], 2, 2, [])
def test_every_row_once_in_order_whoever_dies(
    texts: list[str], depth: int, replicas: int, deaths: list[int]
) -> None:
    # A third death over one chunk would end the job.
    left = deaths[:2]
    with TemporaryDirectory() as name:
        bench = Bench(Path(name), texts, depth)

        def born(number: int) -> None:
            at = left.pop() if left else None
            bench.gather.add(
                ThreadReplica(
                    f"replica-{number}",
                    dies=lambda _chunk, nth: nth == at,
                    on_death=lambda: born(number + 10),
                )
            )

        for number in range(replicas):
            born(number)
        assert bench.gather.run() is False
        bench.check_whole()
        view = bench.progress.view
    failed = len(bench.rows_of(bad=True))
    assert (view.rows_done, view.rows_failed) == (len(texts), failed)


@settings(max_examples=25, deadline=None)
@given(TEXTS, st.booleans(), st.integers(1, 5))
def test_a_stopped_run_keeps_what_is_done_and_goes_on_from_there(
    texts: list[str], force: bool, stop_at: int
) -> None:
    with TemporaryDirectory() as name:
        bench = Bench(Path(name), texts)
        first = ThreadReplica("a", on_chunk=_at(stop_at, bench, force=force))
        bench.gather.add(first)
        stopped = bench.gather.run()
        kept = bench.ranges()
        if not force:
            assert kept == [(chunk.first_row, chunk.rows) for chunk in first.ran]
        # The input can end before the stop is seen.
        assert stopped or sum(rows for _, rows in kept) == len(texts)
        again = Bench(Path(name), texts)
        second = ThreadReplica("b")
        again.gather.add(second)
        assert again.gather.run() is False
        again.check_whole()
    ran = {chunk.first_row for chunk in second.ran}
    assert not ran & {first_row for first_row, _ in kept}


def _at(nth: int, bench: Bench, *, force: bool) -> Callable[[], None]:
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            bench.gather.stop(force=force)

    return count


def test_stop_before_any_replica_ends_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["abc"])
    bench.gather.stop(force=False)
    assert bench.gather.run() is True
    assert bench.ranges() == []


def test_force_does_not_wait_for_what_is_in_flight(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["abc"] * 20)
    replica = HeldReplica("a")
    bench.gather.add(replica)
    with bench.running() as running:
        replica.wait_for(2)
        bench.gather.stop(force=False)
        bench.gather.stop(force=True)
        assert running.result(10) is True
    assert bench.ranges() == []


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_replica_never_runs_dry_while_input_lasts(tmp_path: Path, depth: int) -> None:
    bench = Bench(tmp_path, ["abc"] * 200, depth)
    replica = HeldReplica("a")
    bench.gather.add(replica)
    with bench.running() as running:
        handed = 0
        while handed < len(bench.texts):
            lasts = bench.reader.bytes_read < bench.reader.bytes_total
            replica.wait_for(depth if lasts else 1)
            handed += replica.held[0][0].rows
            replica.finish()
        assert running.result(10) is False
    bench.check_whole()


def test_a_replica_that_comes_late_takes_its_share(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["abc"] * 100)
    slow, late = HeldReplica("slow"), ThreadReplica("late")
    bench.gather.add(slow)
    with bench.running() as running:
        slow.wait_for(2)
        bench.gather.add(late)
        bench.wait_rows(84)
        slow.finish()
        slow.finish()
        assert running.result(10) is False
    bench.check_whole()
    assert sum(chunk.rows for chunk in late.ran) == 84


def test_a_chunk_still_running_on_a_lost_replica_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["abc"] * 60)
    dying = HeldReplica("dying")
    bench.gather.add(dying)
    with bench.running() as running:
        dying.wait_for(2)
        dying.fail()
        other = ThreadReplica("other")
        bench.gather.add(other)
        bench.wait_rows(52)
        dying.finish()
        assert running.result(10) is False
    bench.check_whole()


def test_a_replica_can_come_back_under_its_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["abc"] * 50)

    def dies(_chunk: Chunk, nth: int) -> bool:
        return nth == 2

    second = ThreadReplica("a")
    bench.gather.add(ThreadReplica("a", dies, lambda: bench.gather.add(second)))
    assert bench.gather.run() is False
    bench.check_whole()
    assert second.ran
    # It was there again before the end of its old life was seen.
    assert bench.progress.view.lost == ()
