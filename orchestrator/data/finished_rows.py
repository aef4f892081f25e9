"""Where finished rows lie: in parts, in results.jsonl, or in results.parquet."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from orchestrator.data.index import KEYS, OFFSETS, Index
from orchestrator.data.parts import (
    ID,
    KEY,
    KEY_TYPE,
    ROW,
    column_array,
    keys_of,
    read_part,
)
from orchestrator.data.results import RESULT_ROW

Positions = NDArray[np.int64]

_GROUPS_KEPT = 4


class FinishedRows(Protocol):
    """Finished rows on disk, numbered from 0."""

    def keys(self) -> bytes | memoryview:
        """Their keys, 16 bytes each."""

    def take(self, positions: Positions) -> pa.Table:
        """Some of them, in that order: `_key`, `id` and the outputs."""


class PartRows:
    """The good rows of a part."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keys(self) -> bytes | memoryview:
        """Their keys, 16 bytes each."""
        return keys_of(read_part(self._path).table)

    def take(self, positions: Positions) -> pa.Table:
        """Some of them, in that order: `_key`, `id` and the outputs."""
        # Opened anew each time: thousands of open parts would run out of handles.
        table = read_part(self._path).table
        return table.drop_columns([ROW]).take(pa.array(positions))


class JsonlResults:
    """The rows of a results.jsonl."""

    def __init__(self, path: Path, work: Path, index: Index) -> None:
        self._path = path
        self._keys = work / KEYS
        self._schema = index.schema
        self._starts = _mapped(work / OFFSETS, np.dtype(np.int64), index.rows)
        self._size_bytes = index.size_bytes

    def keys(self) -> bytes | memoryview:
        """Their keys, 16 bytes each."""
        return self._keys.read_bytes()

    def take(self, positions: Positions) -> pa.Table:
        """Some of them, in that order: `_key`, `id` and the outputs."""
        ends = np.append(self._starts[1:], self._size_bytes)[positions]
        starts = self._starts[positions]
        with (
            self._path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
        ):
            lines = [
                orjson.loads(text[start:end])
                for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
            ]
        arrays = {KEY: _taken_keys(self._keys, positions), ID: None}
        for name in dict.fromkeys(name for line in lines for name in line):
            if name != RESULT_ROW:
                arrays[name] = self._column(name, [line.get(name) for line in lines])
        if arrays[ID] is None:
            arrays[ID] = pa.nulls(len(lines), pa.string())
        return pa.table(arrays)

    def _column(self, name: str, values: list[object]) -> pa.Array:
        if name in self._schema.names:
            return pa.array(values, self._schema.field(name).type)
        return column_array(name, values)


class ParquetResults:
    """The rows of a results.parquet; slow when taken in random order."""

    def __init__(self, path: Path, work: Path) -> None:
        self._path = path
        self._keys = work / KEYS
        metadata = pq.read_metadata(path)
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self._starts = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
        self._groups: dict[int, pa.Table] = {}

    def keys(self) -> bytes | memoryview:
        """Their keys, 16 bytes each."""
        return self._keys.read_bytes()

    def take(self, positions: Positions) -> pa.Table:
        """Some of them, in that order: `_key`, `id` and the outputs."""
        numbers = np.searchsorted(self._starts, positions, side="right") - 1
        tables, order = [], []
        for number in np.unique(numbers).tolist():
            here = np.flatnonzero(numbers == number)
            local = positions[here] - self._starts[number]
            tables.append(self._group(number).take(pa.array(local)))
            order.append(here)
        back = np.argsort(np.concatenate(order))
        table = pa.concat_tables(tables).take(pa.array(back)).drop_columns([RESULT_ROW])
        if ID in table.column_names:
            table = table.drop_columns([ID]).add_column(0, ID, table[ID])
        else:
            table = table.add_column(0, ID, pa.nulls(len(positions), pa.string()))
        return table.add_column(0, KEY, _taken_keys(self._keys, positions))

    def _group(self, number: int) -> pa.Table:
        if number not in self._groups:
            while len(self._groups) >= _GROUPS_KEPT:
                del self._groups[next(iter(self._groups))]
            with pq.ParquetFile(self._path) as file:
                self._groups[number] = file.read_row_group(number)
        return self._groups[number]


def _mapped(path: Path, dtype: np.dtype[np.int64], rows: int) -> Positions:
    if rows == 0:
        return np.empty(0, dtype)
    return np.memmap(path, dtype, "r", shape=(rows,))


def _taken_keys(path: Path, positions: Positions) -> pa.Array:
    keys = np.memmap(path, np.uint8, "r").reshape(-1, KEY_TYPE.byte_width)
    taken = np.ascontiguousarray(keys[positions])
    return pa.FixedSizeBinaryArray.from_buffers(
        KEY_TYPE, len(positions), [None, pa.py_buffer(taken)]
    )


def result_rows(root: Path, work: Path, index: Index) -> Iterable[FinishedRows]:
    """The merged results that `index` describes; none when they were removed."""
    path = root / index.results
    if not index.rows or not path.exists():
        return ()
    if index.format == "jsonl":
        return (JsonlResults(path, work, index),)
    return (ParquetResults(path, work),)
