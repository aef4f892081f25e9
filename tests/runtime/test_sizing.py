from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.sizing import (
    FIRST_ROWS,
    GROWTH,
    MAX_ROWS,
    ChunkSizer,
)

SEEN = st.lists(
    st.tuples(st.integers(0, MAX_ROWS), st.floats(0, 5, allow_nan=False)), max_size=30
)
REST = st.none() | st.floats(0, 1e9)


def sizer_of(seen: list[tuple[int, float]]) -> ChunkSizer:
    """A sizer that saw chunks of so many rows, each so many seconds after the last."""
    sizer, now = ChunkSizer(), 100.0
    for rows, gap in seen:
        now += gap
        sizer.observe(rows, now)
    return sizer


def steady(rows_per_second: float, chunk: int) -> ChunkSizer:
    return sizer_of([(chunk, chunk / rows_per_second)] * 50)


@given(SEEN, REST, st.integers(0, 64))
def test_a_chunk_has_rows_and_is_bounded(
    seen: list[tuple[int, float]], rest: float | None, replicas: int
) -> None:
    sizer = sizer_of(seen)
    rows = sizer.rows(rest, replicas)
    assert 1 <= rows <= MAX_ROWS
    largest = max((n for n, _ in seen), default=0)
    assert rows <= max(FIRST_ROWS, GROWTH * largest)


@given(SEEN, st.floats(0, 1e9), st.floats(0, 1e9), st.integers(1, 64))
def test_it_never_grows_as_less_is_left(
    seen: list[tuple[int, float]], one: float, other: float, replicas: int
) -> None:
    sizer = sizer_of(seen)
    less, more = sorted((one, other))
    unknown = sizer.rows(None, replicas)
    assert sizer.rows(less, replicas) <= sizer.rows(more, replicas) <= unknown


@given(SEEN, REST, st.integers(1, 63))
def test_more_replicas_never_make_it_larger(
    seen: list[tuple[int, float]], rest: float | None, replicas: int
) -> None:
    sizer = sizer_of(seen)
    assert sizer.rows(rest, replicas + 1) <= sizer.rows(rest, replicas)


@pytest.mark.parametrize(
    ("per_second", "chunk", "rest", "replicas", "rows"),
    [
        # Half a second of work.
        (1000, 500, None, 2, 500),
        (1000, 500, 1e6, 2, 500),
        # Growing fourfold at most.
        (1000, 50, None, 2, 200),
        # A quarter of a replica's share of the rest: 1600 / (2 * 4).
        (1000, 500, 1600, 2, 200),
        # Never less than 0.08 s of work, nor than four rows.
        (1000, 500, 10, 2, 80),
        (2, 1, 10, 2, 4),
        # However fast it is.
        (1e7, MAX_ROWS, None, 1, MAX_ROWS),
        (1e5, MAX_ROWS, 1e6, 16, 15_625),
    ],
)
def test_it_is_half_a_second_of_work_but_less_near_the_end(
    per_second: float, chunk: int, rest: float | None, replicas: int, rows: int
) -> None:
    found = steady(per_second, chunk).rows(rest, replicas)
    assert found == pytest.approx(rows, abs=1)


def test_without_a_rate_it_is_small() -> None:
    assert ChunkSizer().rows(None, 1) == FIRST_ROWS
    assert sizer_of([(8, 1.0)]).rows(1e6, 1) == FIRST_ROWS


def test_a_burst_is_no_rate_to_grow_by() -> None:
    # Two chunks of eight that came back within a microsecond.
    assert sizer_of([(8, 1.0), (8, 1e-6)]).rows(None, 1) <= 8 * GROWTH


def test_the_rate_follows_a_change() -> None:
    sizer = steady(1000, 500)
    now = 1000.0
    for _ in range(6):
        now += 1.0
        sizer.observe(100, now)
    assert sizer.rows_per_second == pytest.approx(100)
