from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engines.embeddings.batches import TokenBatch, bounds_for, cut
from orchestrator.scheduling.snapshot import DeviceKind

lengths_lists = st.lists(st.integers(1, 512), max_size=200)
budgets = st.integers(1, 5000)


def batches(lengths: list[int], budget: int, kind: DeviceKind) -> list[TokenBatch]:
    sizes = np.array(sorted(lengths, reverse=True), np.int32)
    ids = np.arange(sizes.sum(), dtype=np.int32)
    return cut(np.arange(len(sizes)), ids, sizes, bounds_for(sizes, budget, kind))


@given(lengths_lists, budgets, st.sampled_from(DeviceKind))
def test_every_row_is_in_exactly_one_batch_with_its_own_tokens(
    lengths: list[int], budget: int, kind: DeviceKind
) -> None:
    made = batches(lengths, budget, kind)
    assert [r for b in made for r in b.rows.tolist()] == list(range(len(lengths)))
    assert [i for b in made for i in b.ids.tolist()] == list(range(sum(lengths)))
    assert all(b.ids.size == b.lengths.sum() for b in made)


@given(lengths_lists, budgets)
def test_no_packed_batch_exceeds_the_budget_unless_it_is_one_row(
    lengths: list[int], budget: int
) -> None:
    for batch in batches(lengths, budget, DeviceKind.CUDA):
        assert batch.ids.size <= budget or len(batch.rows) == 1


@given(lengths_lists, budgets)
def test_no_padded_batch_exceeds_the_budget_unless_it_is_one_row(
    lengths: list[int], budget: int
) -> None:
    for batch in batches(lengths, budget, DeviceKind.CPU):
        padded = len(batch.rows) * int(batch.lengths.max())
        assert padded <= budget or len(batch.rows) == 1


@given(st.lists(st.integers(1, 64), min_size=1, max_size=300))
def test_packed_batches_hold_about_equal_shares(lengths: list[int]) -> None:
    made = batches(lengths, 1000, DeviceKind.CUDA)
    sizes = [b.ids.size for b in made]
    assert all(size > sum(lengths) / len(made) - 64 for size in sizes[:-1])


def test_rows_of_one_length_fill_the_budget_exactly() -> None:
    made = batches([128] * 4096, 65_536, DeviceKind.CUDA)
    assert [b.ids.size for b in made] == [65_536] * 8


def test_a_little_more_than_one_batch_becomes_two_equal_ones() -> None:
    made = batches([100] * 102, 10_000, DeviceKind.CUDA)
    assert [len(b.rows) for b in made] == [52, 50]


@given(st.lists(st.integers(1, 64), min_size=2, max_size=50))
def test_halves_are_the_batch(lengths: list[int]) -> None:
    (whole,) = batches(lengths, 10_000, DeviceKind.CUDA)
    first, second = whole.halves()
    assert len(first.rows) >= 1
    assert len(second.rows) >= 1
    for name in ("rows", "ids", "lengths"):
        parts = [getattr(first, name), getattr(second, name)]
        assert np.array_equal(np.concatenate(parts), getattr(whole, name))
    assert first.ids.size == first.lengths.sum()
