from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.data.merge import MergeSummary, merge
from orchestrator.data.parts import Column, PartStore, encode_part, in_order
from orchestrator.data.rows import RowFailure, Rows
from orchestrator.errors import Code, OrchError

Format = Literal["jsonl", "parquet"]


def rows_of(numbers: list[int], *, ids: bool = True) -> Rows:
    return Rows(
        numbers,
        [number.to_bytes(16, "big") for number in numbers],
        [f"id-{number}" if ids else None for number in numbers],
        [(str(number),) for number in numbers],
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def read_back(summary: MergeSummary) -> list[dict[str, Any]]:
    if summary.path.suffix == ".jsonl":
        return lines(summary.path)
    rows: list[dict[str, Any]] = pq.read_table(summary.path).to_pylist()
    return rows


def write_and_merge(
    folder: Path, columns: list[dict[str, Column]], kind: Format, *, ids: bool = True
) -> list[dict[str, Any]]:
    store = PartStore(folder / "parts")
    first = 0
    for outputs in columns:
        rows = len(next(iter(outputs.values()), []))
        numbers = list(range(first, first + rows))
        store.write(first, rows, encode_part(rows_of(numbers, ids=ids), outputs), ())
        first += rows
    return read_back(merge(store.paths(), folder / "out", kind))


@given(
    st.lists(st.integers(1, 5), max_size=8).flatmap(
        lambda sizes: st.tuples(st.just(sizes), st.permutations(range(len(sizes))))
    ),
    st.sets(st.integers(0, 40)),
    st.sampled_from(["jsonl", "parquet"]),
)
def test_rows_are_in_order_whatever_the_order_of_writing(
    plan: tuple[list[int], list[int]], failing: set[int], kind: Format
) -> None:
    sizes, order = plan
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    total = sum(sizes)
    with TemporaryDirectory() as name:
        store = PartStore(Path(name) / "parts")
        written = []
        for i in order:
            numbers = range(starts[i], starts[i] + sizes[i])
            good = [n for n in numbers if n not in failing]
            vectors = np.array([[n / 3, 0.1] for n in good], np.float32).reshape(-1, 2)
            failures = [
                RowFailure(n, None, Code.MISSING_FIELD, "gone")
                for n in numbers
                if n in failing
            ]
            part = encode_part(rows_of(good), {"embedding": vectors} if good else {})
            written.append(store.write(starts[i], sizes[i], part, failures))
        told: list[tuple[int, int]] = []
        summary = merge(
            in_order(written),
            Path(name) / "out",
            kind,
            on_part=lambda ok, failed: told.append((ok, failed)),
        )
        found = read_back(summary)
        failed = lines(Path(name) / "out" / "failed.jsonl")
    good = [n for n in range(total) if n not in failing]
    assert [row["row"] for row in found] == good
    assert [row["id"] for row in found] == [f"id-{n}" for n in good]
    stored = [np.array(row["embedding"], np.float32).tolist() for row in found]
    assert stored == [np.array([n / 3, 0.1], np.float32).tolist() for n in good]
    assert failed == [
        {"row": n, "id": None, "code": "E202", "message": "gone"}
        for n in range(total)
        if n in failing
    ]
    assert (summary.ok, summary.failed) == (len(good), total - len(good))
    assert len(told) == len(sizes)
    assert all(sum(counts) <= total for counts in told)


def test_json_lines_are_what_people_expect(tmp_path: Path) -> None:
    columns: dict[str, Column] = {
        "embedding": np.array([[0.1, 2], [np.nan, 1e-9]], np.float32),
        "score": np.array([0.1, 0.7], np.float32),
        "label": ["a", None],
        "more": [{"x": [1]}, {"x": []}],
    }
    PartStore(tmp_path).write(0, 2, encode_part(rows_of([0, 1]), columns), ())
    summary = merge(PartStore(tmp_path).paths(), tmp_path / "out", "jsonl")
    assert summary.path.read_text().splitlines() == [
        '{"row":0,"id":"id-0","embedding":[0.1,2.0],"score":0.1,'
        '"label":"a","more":{"x":[1]}}',
        '{"row":1,"id":"id-1","embedding":[null,1e-9],"score":0.7,'
        '"label":null,"more":{"x":[]}}',
    ]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_without_an_id_field_there_is_no_id(tmp_path: Path, kind: Format) -> None:
    found = write_and_merge(tmp_path, [{"v": [1, 2]}], kind, ids=False)
    assert found == [{"row": 0, "v": 1}, {"row": 1, "v": 2}]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_no_rows_give_empty_files(tmp_path: Path, kind: Format) -> None:
    summary = merge([], tmp_path, kind)
    assert (summary.ok, summary.failed) == (0, 0)
    assert read_back(summary) == []
    assert (tmp_path / "failed.jsonl").read_bytes() == b""


def test_vectors_in_parquet_are_list_columns_without_dictionary(tmp_path: Path) -> None:
    write_and_merge(tmp_path, [{"embedding": np.ones((2, 3), np.float32)}], "parquet")
    file = pq.ParquetFile(tmp_path / "out" / "results.parquet")
    assert file.schema_arrow.field("embedding").type == pa.list_(pa.float32(), 3)
    group = file.metadata.row_group(0)
    columns = {
        group.column(i).path_in_schema: group.column(i)
        for i in range(group.num_columns)
    }
    assert list(columns) == ["row", "id", "embedding.list.element"]
    assert columns["embedding.list.element"].compression == "UNCOMPRESSED"
    assert "PLAIN_DICTIONARY" not in columns["embedding.list.element"].encodings
    assert "RLE_DICTIONARY" not in columns["embedding.list.element"].encodings


def test_parquet_has_groups_of_bounded_size(tmp_path: Path) -> None:
    wide = np.zeros((600, 8192), np.float32)
    found = [{"v": wide} for _ in range(8)]
    store = PartStore(tmp_path / "parts")
    for i, outputs in enumerate(found):
        numbers = list(range(i * 600, i * 600 + 600))
        store.write(i * 600, 600, encode_part(rows_of(numbers), outputs), ())
    summary = merge(store.paths(), tmp_path / "out", "parquet")
    metadata = pq.read_metadata(summary.path)
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert sum(groups) == 4800
    assert max(groups) * 8192 * 4 < 90 << 20


def test_types_may_widen_from_part_to_part(tmp_path: Path) -> None:
    columns: list[dict[str, Column]] = [
        {"v": [None, None], "s": [{"a": 1}, {"a": 2}]},
        {"v": [1], "s": [{"b": "x"}]},
        {"v": [1.5], "s": [{"a": 3}]},
    ]
    found = write_and_merge(tmp_path / "a", columns, "parquet")
    assert [row["v"] for row in found] == [None, None, 1.0, 1.5]
    assert found[2]["s"] == {"a": None, "b": "x"}
    assert [row["v"] for row in write_and_merge(tmp_path / "b", columns, "jsonl")] == [
        None,
        None,
        1,
        1.5,
    ]


def test_what_is_on_disk_already_is_widened_too(tmp_path: Path) -> None:
    wide = np.ones((600, 16384), np.float32)  # two make a row group
    first: dict[str, Column] = {"w": wide, "v": [None] * 600}
    columns: list[dict[str, Column]] = [
        first,
        first,
        {"w": wide[:1], "v": ["text"]},
    ]
    write_and_merge(tmp_path, columns, "parquet")
    table = pq.read_table(tmp_path / "out" / "results.parquet", columns=["row", "v"])
    assert table["v"].to_pylist() == [None] * 1200 + ["text"]
    assert table["row"].to_pylist() == list(range(1201))
    assert not list((tmp_path / "out").glob("*.old"))


def test_types_that_do_not_go_together_need_json(tmp_path: Path) -> None:
    columns: list[dict[str, Column]] = [{"v": [1]}, {"v": ["a"]}]
    with pytest.raises(OrchError, match="different types") as caught:
        write_and_merge(tmp_path / "a", columns, "parquet")
    assert caught.value.fault.code is Code.USER_CODE_RAISED
    found = write_and_merge(tmp_path / "b", columns, "jsonl")
    assert [row["v"] for row in found] == [1, "a"]


def test_missing_rows_are_never_passed_over(tmp_path: Path) -> None:
    store = PartStore(tmp_path / "parts")
    store.write(0, 2, encode_part(rows_of([0, 1]), {}), ())
    store.write(3, 1, encode_part(rows_of([3]), {}), ())
    with pytest.raises(OrchError, match="expected row 2"):
        merge(store.paths(), tmp_path / "a", "jsonl")
    store.write(2, 1, encode_part(rows_of([]), {}), ())
    with pytest.raises(OrchError, match="0 of its 1 rows"):
        merge(store.paths(), tmp_path / "b", "jsonl")
