from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.estimate.module import estimate_module

LINES = [
    # batches measured (rows, bytes), rows asked, bytes
    ([(8, 800)], 8, 800),
    ([(8, 800)], 16, 1600),
    ([(8, 801)], 9, 902),
    ([(8, 1800), (16, 2600)], 32, 4200),
    ([(16, 2600), (8, 1800)], 32, 4200),
    ([(8, 1800), (16, 2600)], 8, 1800),
    ([(8, 1800), (16, 1800)], 1000, 1800),
    ([(8, 1800), (16, 1700)], 1000, 1800),
]


@pytest.mark.parametrize(("batches", "rows", "expected"), LINES)
def test_a_line_through_the_small_batches(
    batches: list[tuple[int, int]], rows: int, expected: int
) -> None:
    found = estimate_module(10_000, tuple(batches), rows)
    assert found.activation_bytes == expected
    assert found.weights_bytes == 10_000
    assert found.budget_tokens == rows


@pytest.mark.parametrize("batches", [(), ((8, 1), (8, 2))])
def test_what_is_no_line_is_refused(batches: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="small batch"):
        estimate_module(0, batches, 1)


@given(
    st.integers(0, 10**9),
    st.integers(1, 10**6),
    st.integers(1, 64),
    st.integers(1, 64),
    st.integers(1, 10**6),
)
def test_a_linear_module_is_found_to_the_byte(
    fixed: int, per_row: int, first: int, more: int, rows: int
) -> None:
    batches = tuple((n, fixed + per_row * n) for n in (first, first + more))
    found = estimate_module(0, batches, rows)
    expected = fixed + per_row * rows
    assert found.activation_bytes == max(
        expected, batches[-1][1] if rows >= batches[-1][0] else 0
    )
