"""Reads the wanted columns of Parquet files as Arrow IPC streams, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.errors import Code, OrchError
from orchestrator.units import MIB

_BATCH_ROWS = 4096
_BUFFER_BYTES = MIB


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group of a file; not read yet."""

    file: pq.ParquetFile
    number: int
    rows: int
    share_bytes: int
    """Its part of the file's size."""


class ParquetCursor:
    """A place in Parquet files, which moves forward by rows."""

    def __init__(self, files: tuple[Path, ...], columns: tuple[str, ...]) -> None:
        """Open at the first row of the first file.

        Raises:
            OrchError: E203 when a file lacks one of `columns` or is not Parquet.
        """
        self.bytes_read = 0
        self._columns = list(dict.fromkeys(columns))
        for path in files:
            _check(path, self._columns)
        self._groups = _row_groups(files)
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: pa.RecordBatch | None = None

    def skip(self, rows: int) -> int:
        """Pass over up to `rows` rows; row groups that lie within are not read."""
        left = rows
        while left and (passed := self._pass_group(left) or self._pass_rows(left)):
            left -= passed
        return rows - left

    def read(self, max_rows: int, max_bytes: int) -> tuple[int, bytes]:
        """The next rows, at least one, as an IPC stream; `(0, b"")` at the end."""
        taken: list[pa.RecordBatch] = []
        rows, size = 0, 0
        while rows < max_rows and (batch := self._current()) is not None:
            # Another file may hold the same column as another type.
            if taken and not batch.schema.equals(taken[0].schema):
                break
            row_bytes = max(1, batch.nbytes // batch.num_rows)
            fit = min(max_rows - rows, (max_bytes - size) // row_bytes)
            if fit <= 0 and taken:
                break
            taken.append(self._take(max(1, fit)))
            rows += taken[-1].num_rows
            size += taken[-1].nbytes
        return rows, _stream(taken) if taken else b""

    def _current(self) -> pa.RecordBatch | None:
        while self._batch is None:
            self._batch = next(self._batches, None)
            if self._batch is None:
                group = next(self._groups, None)
                if group is None:
                    return None
                self._open(group)
        return self._batch

    def _open(self, group: _Group) -> None:
        self.bytes_read += group.share_bytes
        self._batches = group.file.iter_batches(
            _BATCH_ROWS,
            row_groups=[group.number],
            columns=self._columns,
            use_threads=False,
        )

    def _take(self, rows: int) -> pa.RecordBatch:
        batch = self._batch
        assert batch is not None
        self._batch = batch.slice(rows) if rows < batch.num_rows else None
        return batch.slice(0, rows)

    def _pass_group(self, rows: int) -> int:
        if self._batch is None:
            self._batch = next(self._batches, None)
        if self._batch is not None:
            return 0
        group = next(self._groups, None)
        if group is None:
            return 0
        if group.rows > rows:
            self._open(group)
            return 0
        self.bytes_read += group.share_bytes
        return group.rows

    def _pass_rows(self, rows: int) -> int:
        return self._take(rows).num_rows if self._current() is not None else 0


def _row_groups(files: tuple[Path, ...]) -> Iterator[_Group]:
    for path in files:
        # Without pre-buffering, so that a huge row group is never in memory whole.
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            groups = file.metadata.num_row_groups
            share = path.stat().st_size // max(1, groups)
            for number in range(groups):
                rows = file.metadata.row_group(number).num_rows
                yield _Group(file, number, rows, share)


def _check(path: Path, columns: list[str]) -> None:
    try:
        present = pq.read_schema(path).names
    except pa.ArrowInvalid as error:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"'{path.name}' cannot be read as Parquet: {error}",
            fix="check the file, or set input.format to what it is",
        ) from None
    missing = [name for name in columns if name not in present]
    if missing:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"'{path.name}' has no column '{missing[0]}'",
            facts=(f"columns there are: {', '.join(present)}",),
            fix="name existing columns in input.text, input.fields and input.id_field",
        )


def _stream(batches: list[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())
