from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engines.assemble import Assembly, without_columns
from orchestrator.engines.base import Column, Columns, Held
from orchestrator.engines.messages import BadRow, Output
from orchestrator.errors import Code, OrchError


def bad(position: int) -> BadRow:
    return BadRow(position, Code.USER_CODE_RAISED, "bad")


def assembled(rows: int, batches: list[tuple[list[int], Columns]]) -> Output:
    assembly = Assembly(7, rows, len(batches))
    for positions, columns in batches:
        assert not assembly.complete
        assembly.add(np.array(positions, np.int64), columns)
        assembly.batch_done()
    assert assembly.complete
    return assembly.output(Held(123))


@given(
    st.permutations(range(12)),
    st.lists(st.integers(1, 4), min_size=12, max_size=12),
    st.sets(st.integers(0, 11)),
)
def test_rows_come_in_order_without_those_that_failed(
    order: list[int], sizes: list[int], failing: set[int]
) -> None:
    assembly = Assembly(7, 12, 1)
    left = list(order)
    while left:
        positions = [left.pop() for _ in range(min(sizes.pop(), len(left)))]
        for position in failing & set(positions):
            assembly.fail(bad(position))
        good = np.array([p for p in positions if p not in failing], np.int64)
        if len(good):
            vectors = np.stack([good, good * 10], axis=1).astype(np.float32)
            names = [f"row {p}" for p in good]
            assembly.add(good, {"vector": vectors, "name": names})
    output = assembly.output(Held(5))
    kept = [p for p in range(12) if p not in failing]
    assert {row.position for row in output.bad} == failing
    if kept:
        assert np.array(output.columns["vector"]).tolist() == [
            [p, p * 10] for p in kept
        ]
        assert output.columns["name"] == [f"row {p}" for p in kept]


def test_the_outputs_number_and_peak_are_those_of_the_chunk() -> None:
    output = assembled(1, [([0], {"v": np.ones(1)})])
    assert (output.number, output.held.bytes, output.splits) == (7, 123, 0)


def test_no_good_row_gives_no_values() -> None:
    assembly = Assembly(1, 2, 1)
    assembly.fail(bad(0))
    assembly.fail(bad(1))
    assert assembly.output(Held()).columns == {}


@pytest.mark.parametrize(
    ("first", "second", "values"),
    [
        (np.array([1]), np.array([1.5]), [1, 1.5]),
        (np.array([1.5], np.float16), np.array([1 / 3]), [1.5, 1 / 3]),
        (np.array([True]), np.array([7]), [1, 7]),
        (np.array(["a"]), np.array(["longer"]), ["a", "longer"]),
        (["a"], [None], ["a", None]),
    ],
)
def test_no_value_is_cut_to_the_type_of_an_earlier_one(
    first: Column, second: Column, values: list[object]
) -> None:
    output = assembled(2, [([0], {"v": first}), ([1], {"v": second})])
    assert list(output.columns["v"]) == values


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"v": np.ones((1, 1))}, r"has shape \(1,\), before \(3,\)"),
        ({"v": np.ones(1)}, r"has shape \(\), before \(3,\)"),
        ({"v": [[1.0, 1.0, 1.0]]}, "once an array and once a list"),
        ({"w": np.ones((1, 3))}, "['w'], before ['v']"),
        ({"v": np.ones((1, 3)), "w": [1]}, "['v', 'w'], before ['v']"),
        ({}, "[], before ['v']"),
    ],
)
def test_values_unlike_those_before_are_refused_and_change_nothing(
    second: Columns, message: str
) -> None:
    assembly = Assembly(1, 2, 2)
    assembly.add(np.array([0]), {"v": np.ones((1, 3))})
    pattern = message if "\\" in message else message.replace("[", r"\[")
    with pytest.raises(OrchError, match=pattern) as caught:
        assembly.add(np.array([1]), second)
    assert caught.value.fault.code is Code.USER_CODE_RAISED
    assembly.fail(bad(1))
    assert np.array(assembly.output(Held()).columns["v"]).tolist() == [[1, 1, 1]]


def test_an_output_that_cannot_be_sent_fails_all_its_rows() -> None:
    output = Output(4, {"v": [1, 2]}, [bad(1)], splits=2, held=Held(9))
    told = without_columns(output, TypeError("no way"))
    assert (told.number, told.columns, told.splits, told.held.bytes) == (4, {}, 2, 9)
    assert sorted(row.position for row in told.bad) == [0, 1, 2]
    assert [row.message for row in told.bad if row.position == 1] == ["bad"]
    assert "TypeError: no way" in told.bad[-1].message
