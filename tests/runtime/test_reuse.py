"""Rows that are finished stay finished: by range after a crash, by key in a new run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.data.decode import decode
from orchestrator.data.previous import Previous
from orchestrator.data.rows import Chunk, ChunkFormat
from orchestrator.runtime.reuse import Reuse
from tests.runtime.replicas import FIELDS, Bench, ThreadReplica

LINE = st.sampled_from(["abc", "bad", "efghij", "klmnopqrs", "tuvwxyzabcde"])
TEXTS = st.lists(LINE, max_size=60)


def run_through(bench: Bench) -> list[str]:
    """The texts that a replica really got to see."""
    replica = ThreadReplica("a")
    bench.gather.add(replica)
    assert bench.gather.run() is False
    return [
        values[0]
        for chunk in replica.ran
        for values in decode(chunk, FIELDS, None)[0].fields
    ]


def retire(folder: Path) -> None:
    previous = folder / ".orch" / "previous"
    previous.mkdir(exist_ok=True)
    number = len(list(previous.iterdir())) + 1
    (folder / ".orch" / "parts").rename(previous / str(number))


@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS)
def test_only_new_and_failed_texts_run_again(
    before: list[str], after: list[str]
) -> None:
    with TemporaryDirectory() as name:
        first = Bench(Path(name), before)
        assert run_through(first) == before
        retire(Path(name))
        second = Bench(Path(name), after)
        finished = {text for text in before if "bad" not in text}
        assert run_through(second) == [text for text in after if text not in finished]
        second.check_whole()
        reused = second.progress.view.rows_reused
    assert reused == sum(text in finished for text in after)


def test_a_chunk_that_ran_half_finished_rows_is_put_together(tmp_path: Path) -> None:
    run_through(Bench(tmp_path, ["abc", "efghij"]))
    retire(tmp_path)
    bench = Bench(tmp_path, ["klmnopqrs", "efghij", "bad", "abc"])
    assert run_through(bench) == ["klmnopqrs", "bad"]
    bench.check_whole()


def test_marked_rows_survive_the_death_of_their_replica(tmp_path: Path) -> None:
    run_through(Bench(tmp_path, ["abc"] * 4))
    retire(tmp_path)
    bench = Bench(tmp_path, ["abc", "efghij"] * 20)
    second = ThreadReplica("b")
    dying = ThreadReplica(
        "a", lambda _chunk, nth: nth == 1, lambda: bench.gather.add(second)
    )
    bench.gather.add(dying)
    assert bench.gather.run() is False
    bench.check_whole()
    assert bench.progress.view.rows_reused == 20


def test_without_an_earlier_run_nothing_is_marked(tmp_path: Path) -> None:
    chunk = Chunk(0, 2, ChunkFormat.TEXT, b"abc\nabc\n")
    reuse = Reuse(Previous.open(tmp_path), FIELDS, None)
    assert reuse.mark(chunk) is chunk
    assert reuse.complete(chunk, b"table") == b"table"


def test_paths_come_as_they_are_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["abc"] * 30)
    run_through(bench)
    bench.parts.end()
    assert sorted(bench.parts.paths()) == bench.store.paths()
    # A new runner's merge begins with what is on disk.
    again = Bench(tmp_path, ["abc"] * 30)
    again.parts.end()
    assert list(again.parts.paths()) == bench.store.paths()
