"""The results file, written row by row in input order: JSONL or Parquet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.data.files import write_all
from orchestrator.data.parts import ID, KEY
from orchestrator.errors import Code, OrchError
from orchestrator.units import MIB

RESULT_ROW = "row"

_GROUP_BYTES = 64 * MIB
_RENDER_ROWS = 256
_LINE_OPTIONS = (
    orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
)


class ResultsWriter(Protocol):
    """Where merged rows go."""

    path: Path

    def write(self, table: pa.Table) -> None:
        """Append rows: columns `row`, `id` if rows have one, and the outputs."""

    def close(self) -> None:
        """Bring everything to the disk."""

    @property
    def schema(self) -> pa.Schema:
        """Of all rows so far; a column without a common type is left out."""


def without_key(table: pa.Table) -> pa.Table:
    """A part's rows as the results show them: no key, and no `id` if none has one."""
    rest = table.drop_columns([KEY])
    if rest[ID].null_count == rest.num_rows:
        rest = rest.drop_columns([ID])
    return rest.rename_columns([RESULT_ROW, *rest.column_names[1:]])


def render_lines(table: pa.Table) -> list[bytes]:
    """Each row as a line of JSON; float32 with the fewest digits that tell it."""
    columns = [_row_values(column) for column in table.columns]
    names = table.column_names
    return [
        orjson.dumps(dict(zip(names, row, strict=True)), option=_LINE_OPTIONS)
        for row in zip(*columns, strict=True)
    ]


class JsonlWriter:
    """Writes results.jsonl, and beside it where each line starts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.jsonl"
        self._file = self.path.open("wb", buffering=0)
        self._offsets = (folder / "offsets").open("wb")
        self._size = 0
        self._fields: dict[str, pa.DataType | None] = {}

    @property
    def schema(self) -> pa.Schema:
        """Of all rows so far; a column without a common type is left out."""
        return pa.schema([(name, kind) for name, kind in self._fields.items() if kind])

    def write(self, table: pa.Table) -> None:
        """Append rows, a few hundred at a time."""
        self._note_types(table.schema)
        for start in range(0, table.num_rows, _RENDER_ROWS):
            lines = render_lines(table.slice(start, _RENDER_ROWS))
            sizes = np.fromiter(map(len, lines), np.int64, len(lines))
            starts = np.cumsum(sizes) - sizes + self._size
            self._offsets.write(starts.tobytes())
            self._size += int(sizes.sum())
            write_all(self._file.fileno(), b"".join(lines))

    def close(self) -> None:
        """Bring everything to the disk."""
        for file in (self._file, self._offsets):
            file.flush()
            os.fsync(file.fileno())
            file.close()

    def _note_types(self, schema: pa.Schema) -> None:
        for item in schema:
            known = self._fields.setdefault(item.name, item.type)
            if known is not None and known != item.type:
                self._fields[item.name] = _common_type(item.name, known, item.type)


class ParquetWriter:
    """Writes results.parquet in row groups of some 64 MiB.

    A later part may widen a column's type (null to text, int to float, a dict with
    more keys); then what is written already is rewritten once in the wider type.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.parquet"
        self._tables: list[pa.Table] = []
        self._buffered_bytes = 0
        self._schema = pa.schema([(RESULT_ROW, pa.int64())])
        self._writer: pq.ParquetWriter | None = None

    @property
    def schema(self) -> pa.Schema:
        """Of all rows so far."""
        return self._schema

    def write(self, table: pa.Table) -> None:
        """Append rows.

        Raises:
            OrchError: E401 when a column's type fits that of the rows before no way.
        """
        if not table.num_rows:
            return
        if table.schema != self._schema:
            self._widen(table.schema)
        self._tables.append(table)
        self._buffered_bytes += table.nbytes
        if self._buffered_bytes >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Bring everything to the disk."""
        self._flush()
        if self._writer is None:
            self._writer = self._open(self.path)
        self._writer.close()
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def _flush(self) -> None:
        if not self._tables:
            return
        if self._writer is None:
            self._writer = self._open(self.path)
        fitted = [_fit(table, self._schema) for table in self._tables]
        whole = pa.concat_tables(fitted)
        self._writer.write_table(whole, row_group_size=max(1, whole.num_rows))
        self._tables, self._buffered_bytes = [], 0

    def _widen(self, schema: pa.Schema) -> None:
        wider = _unified(self._schema, schema)
        if wider == self._schema:
            return
        self._schema = wider
        if self._writer is None:
            return
        self._writer.close()
        old = self.path.with_suffix(".old")
        self.path.replace(old)
        self._writer = self._open(self.path)
        with pq.ParquetFile(old) as file:
            for group in range(file.num_row_groups):
                table = _fit(file.read_row_group(group), wider)
                self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        old.unlink()

    def _open(self, path: Path) -> pq.ParquetWriter:
        # Vectors are noise to a compressor: lz4 and zstd took up to twice the time
        # for 0-8 % of size, dictionaries only time. Texts gain from both.
        texts = [item.name for item in self._schema if pa.types.is_string(item.type)]
        return pq.ParquetWriter(
            path,
            self._schema,
            compression=dict.fromkeys(texts, "zstd") or "none",
            use_dictionary=texts,
            write_statistics=[RESULT_ROW, *texts],
        )


def _row_values(column: pa.ChunkedArray) -> list[object]:
    kind = column.type
    vector = pa.types.is_fixed_size_list(kind) and (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    )
    if pa.types.is_float32(kind):
        return list(column.to_numpy()) if not column.null_count else column.to_pylist()
    if not vector or column.null_count:
        return list(column.to_pylist())
    rows: list[object] = []
    for chunk in column.chunks:
        rows.extend(
            chunk.flatten().to_numpy(zero_copy_only=False).reshape(len(chunk), -1)
        )
    return rows


def _fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    if table.schema == schema:
        return table
    empty = schema.empty_table()
    return pa.concat_tables([empty, table], promote_options="permissive").cast(schema)


def _unified(old: pa.Schema, new: pa.Schema) -> pa.Schema:
    try:
        return pa.unify_schemas([old, new], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise OrchError.of(
            Code.USER_CODE_RAISED,
            f"an output has different types in different rows: {error}",
            facts=("Parquet needs one type for a column",),
            fix="return one type, or set output.format: jsonl",
        ) from None


def _common_type(name: str, old: pa.DataType, new: pa.DataType) -> pa.DataType | None:
    try:
        return (
            _unified(pa.schema([(name, old)]), pa.schema([(name, new)])).field(0).type
        )
    except OrchError:
        return None
