"""The benchmark's rows are the same for all, and its rate is one definition."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoder import data as rows_of
from benchmarks.encoder.measure import Sink, sampled, steady_rate
from benchmarks.encoder.model import TINY, tokenizer

SEED = 5


def test_the_text_of_a_row_tokenises_to_its_ids(tmp_path: Path) -> None:
    data = rows_of.make("skewed", 40, TINY.vocab_size, SEED)
    rows_of.write_jsonl(data, tmp_path / "rows.jsonl", TINY.vocab_size)

    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    encoded = tokenizer(TINY.vocab_size).encode_batch([row["text"] for row in rows])

    assert [row["id"] for row in rows] == list(range(40))
    assert [i for e in encoded for i in e.ids] == data.flat.tolist()


@pytest.mark.parametrize("case", rows_of.CASES)
def test_more_rows_keep_the_first(case: str) -> None:
    few = rows_of.make(case, 50, TINY.vocab_size, SEED)
    many = rows_of.make(case, 300, TINY.vocab_size, SEED)

    np.testing.assert_array_equal(few.at, many.at[:51])
    np.testing.assert_array_equal(few.flat, many.flat[: few.at[-1]])


def test_skewed_lengths_fill_their_range() -> None:
    drawn = rows_of.lengths("skewed", 50_000, SEED)

    assert (drawn.min(), drawn.max()) == (8, 512)
    assert np.median(drawn) == pytest.approx(rows_of.MEDIAN_TOKENS, rel=0.03)
    assert drawn.mean() > 1.15 * np.median(drawn)


def test_batches_hold_every_row_once_and_sorted_rows_pad_little() -> None:
    data = rows_of.make("skewed", 1_000, TINY.vocab_size, SEED)
    batches = rows_of.batches(data, np.arange(100, 1_000), 32, SEED)

    together = np.sort(np.concatenate([batch.rows for batch in batches]))
    tokens = sum(batch.ids.numel() for batch in batches)
    assert together.tolist() == list(range(100, 1_000))
    assert tokens < 1.15 * data.lengths[100:].sum()


def test_the_rate_leaves_out_the_start_and_counts_the_tail() -> None:
    start = [(0.0, 10), (50.0, 10)]
    steady = [(50.0 + i, 10) for i in range(1, 9)]

    assert steady_rate([*reversed(steady), *start]) == pytest.approx(10.0)
    assert steady_rate([*start, *steady[:-1], (66.0, 10)]) == pytest.approx(5.0)
    with pytest.raises(ValueError, match="too few"):
        steady_rate([(1.0, 100)])


def test_sampled_rows_are_those_a_sink_keeps() -> None:
    sink = Sink(stride=3)
    sink.take(np.arange(2_000), np.zeros((2_000, 4)))

    assert sorted(sink.kept) == sampled(3, 2_000).tolist()
    assert len(sink.kept) == 256
