from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.data.parts import (
    Column,
    PartStore,
    combine,
    encode_part,
    in_order,
    keys_of,
    read_part,
)
from orchestrator.data.rows import RowFailure, Rows
from orchestrator.errors import Code, OrchError


def rows_of(numbers: list[int], ids: list[str | None] | None = None) -> Rows:
    keys = [number.to_bytes(16, "big") for number in numbers]
    fields = [(str(number),) for number in numbers]
    return Rows(numbers, keys, ids or [None] * len(numbers), fields)


def table_of(stream: bytes) -> pa.Table:
    return pa.ipc.open_stream(stream).read_all()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.ones((2, 3), np.float32), pa.list_(pa.float32(), 3)),
        (np.ones((2, 3), np.float16), pa.list_(pa.float32(), 3)),
        (np.ones((3, 2), np.float32).T, pa.list_(pa.float32(), 3)),
        (np.ones((2, 3, 4), np.float64), pa.list_(pa.list_(pa.float64(), 4), 3)),
        (np.array([1, 2]), pa.int64()),
        (np.array([1, 2], np.float16), pa.float32()),
        (["a", None], pa.string()),
        ([1.5, 2], pa.float64()),
        ([[1], [1, 2]], pa.list_(pa.int64())),
        ([{"a": 1}, {"b": "x"}], pa.struct({"a": pa.int64(), "b": pa.string()})),
    ],
)
def test_outputs_keep_their_type(values: Column, kind: pa.DataType) -> None:
    table = table_of(encode_part(rows_of([4, 7], ["a", "b"]), {"out": values}))
    assert table.column_names == ["_row", "_key", "id", "out"]
    assert table["_row"].to_pylist() == [4, 7]
    assert table["id"].to_pylist() == ["a", "b"]
    assert table.schema.field("_key").type == pa.binary(16)
    assert table.schema.field("out").type == kind


@pytest.mark.parametrize(
    ("name", "values", "word"),
    [
        ("score", [1, "a"], "no common type"),
        ("score", [object(), object()], "no common type"),
        ("score", [1], "1 values for 2 rows"),
        ("score", ["\ud800", ""], "no common type"),
        ("score", [1 << 80, 1], "no common type"),
        ("id", [1, 2], "reserved"),
        ("score", np.ones((2, 0)), "no common type"),
    ],
)
def test_outputs_that_cannot_be_stored_are_named(
    name: str, values: Column, word: str
) -> None:
    with pytest.raises(OrchError, match=word) as caught:
        encode_part(rows_of([0, 1]), {name: values})
    assert caught.value.fault.code is Code.USER_CODE_RAISED
    assert f"'{name}'" in caught.value.fault.message


def test_a_part_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    failures = [
        RowFailure(13, "x", Code.BAD_VALUE, "no"),
        RowFailure(9, None, Code.BUG, "ä"),
    ]
    rows = rows_of([10, 12])
    stream = encode_part(rows, {"v": np.arange(2)})
    path = PartStore(tmp_path).write(9, 4, memoryview(stream), failures)
    part = read_part(path)
    assert (part.first_row, part.rows, part.failures) == (9, 4, failures)
    assert part.table.equals(table_of(stream))
    assert keys_of(part.table) == b"".join(rows.keys)
    assert keys_of(part.table.slice(1)) == rows.keys[1]


def test_a_store_knows_what_is_done_and_forgets_what_a_crash_left(
    tmp_path: Path,
) -> None:
    store = PartStore(tmp_path)
    stream = encode_part(rows_of([]), {})
    for first, rows in ((2_000_000_000_000, 5), (8, 4), (0, 8)):
        store.write(first, rows, stream, ())
    (tmp_path / "000000000012-000000004.arrow.tmp").write_bytes(b"half")
    again = PartStore(tmp_path)
    assert again.done_ranges() == [(0, 8), (8, 4), (2_000_000_000_000, 5)]
    assert len(list(tmp_path.iterdir())) == 3


def test_half_a_part_is_not_a_part(tmp_path: Path) -> None:
    path = PartStore(tmp_path).write(0, 0, encode_part(rows_of([]), {}), ())
    whole = path.read_bytes()
    for size in (0, 3, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(OrchError, match="not a whole part"):
            read_part(path)


@given(st.permutations(range(8)))
def test_parts_are_passed_on_as_soon_as_all_before_them_were(order: list[int]) -> None:
    arrived: list[int] = []

    def arriving() -> Iterator[Path]:
        for number in order:
            arrived.append(number)
            yield Path(f"{number * 3:012d}-000000003.arrow")

    for expected, path in enumerate(in_order(arriving())):
        assert path.stem == f"{expected * 3:012d}-000000003"
        # It came when the last of those up to it had arrived, and no later.
        assert len(arrived) == 1 + max(order.index(n) for n in range(expected + 1))
    assert len(arrived) == 8


def test_parts_behind_a_gap_come_at_the_end() -> None:
    gap = in_order([Path("5-1.arrow"), Path("0-2.arrow")])
    assert [path.stem for path in gap] == ["0-2", "5-1"]


def test_reused_rows_go_between_the_new_ones() -> None:
    new = encode_part(rows_of([1, 3]), {"v": np.array([1.0, 3.0])})
    reused = table_of(encode_part(rows_of([0, 2]), {"v": np.array([0.0, 2.0])}))
    whole = table_of(combine(new, reused))
    assert whole["_row"].to_pylist() == [0, 1, 2, 3]
    assert whole["v"].to_pylist() == [0.0, 1.0, 2.0, 3.0]
    nothing_new = encode_part(rows_of([]), {})
    assert table_of(combine(nothing_new, reused)).equals(reused)
    other = table_of(encode_part(rows_of([0]), {"v": ["text"]}))
    with pytest.raises(OrchError, match="do not go together"):
        combine(new, other)
