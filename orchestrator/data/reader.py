"""Reads the input as raw chunks of consecutive rows, without decoding them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from orchestrator.data.parquet_input import ParquetCursor
from orchestrator.data.records import Block, blocks, csv_header
from orchestrator.data.rows import Chunk, ChunkFormat
from orchestrator.data.source import Source
from orchestrator.errors import Code, OrchError


class Cursor(Protocol):
    """A place in the input, which moves forward by rows."""

    bytes_read: int

    def skip(self, rows: int) -> int:
        """Pass over up to `rows` rows; how many there were."""

    def read(self, max_rows: int, max_bytes: int) -> tuple[int, bytes]:
        """The next rows, at least one, with their number; `(0, b"")` at the end."""


class Reader:
    """The rows of a source as chunks, in order, each row once.

    Rows of an earlier attempt that are finished are passed over: no chunk holds one.
    Lines of JSONL and text that are empty or white space are no rows, nor are empty
    lines of CSV. Nothing is decoded; invalid UTF-8 passes through untouched. Memory
    is bounded by a block of the input, or by its longest row.
    """

    def __init__(
        self,
        source: Source,
        columns: tuple[str, ...],
        done: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Open `source` at its first row.

        Args:
            source: The files.
            columns: The fields that are wanted; only these are read from Parquet.
            done: Finished ranges, as `(first_row, rows)`, in any order.

        Raises:
            OrchError: E203 when a Parquet or CSV file lacks one of `columns`, or the
                headers of two CSV files differ.
        """
        self.bytes_total = source.bytes_total
        self._format = source.format
        self._header: tuple[str, ...] = ()
        self._done = sorted((first, rows) for first, rows in done if rows > 0)
        self._row = 0
        self._cursor: Cursor
        if source.format is ChunkFormat.ARROW:
            self._cursor = ParquetCursor(source.files, columns)
        else:
            if source.format is ChunkFormat.CSV:
                self._header = _agreed_header(source, columns)
            self._cursor = _TextCursor(source)

    @property
    def bytes_read(self) -> int:
        """How much of `bytes_total` is behind, roughly for Parquet."""
        return self._cursor.bytes_read

    def next_chunk(self, max_rows: int, max_bytes: int) -> Chunk | None:
        """The next chunk, or `None` at the end.

        It has at most `max_rows` rows and `max_bytes` bytes, but at least one row,
        however long that is.
        """
        self._pass_over_done()
        until_done = self._done[0][0] - self._row if self._done else max_rows
        rows, payload = self._cursor.read(max(1, min(max_rows, until_done)), max_bytes)
        if rows == 0:
            return None
        first, self._row = self._row, self._row + rows
        return Chunk(first, rows, self._format, payload, self._header)

    def _pass_over_done(self) -> None:
        while self._done and self._done[0][0] <= self._row:
            first, rows = self._done.pop(0)
            wanted = first + rows - self._row
            if wanted > 0:
                self._row += self._cursor.skip(wanted)


class _TextCursor:
    """A place in line-based files; chunks may reach over blocks and files."""

    def __init__(self, source: Source) -> None:
        self.bytes_read = 0
        self._blocks = self._all_blocks(source)
        self._block = Block(b"", np.empty(0, np.int64))
        self._next = 0

    def skip(self, rows: int) -> int:
        left = rows
        while left and self._fill():
            step = min(left, len(self._block.ends) - self._next)
            self._next += step
            left -= step
        return rows - left

    def read(self, max_rows: int, max_bytes: int) -> tuple[int, bytes]:
        rows, size = 0, 0
        pieces: list[bytes] = []
        while rows < max_rows and self._fill():
            count = self._fitting(max_rows - rows, max_bytes - size, at_least=not rows)
            if count == 0:
                break
            pieces.append(self._cut(count))
            rows += count
            size += len(pieces[-1])
            if self._block.open_quote and self._next == len(self._block.ends):
                break
        return rows, pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _fill(self) -> bool:
        while self._next == len(self._block.ends):
            block = next(self._blocks, None)
            if block is None:
                return False
            self._block, self._next = block, 0
        return True

    def _start(self) -> int:
        return int(self._block.ends[self._next - 1]) if self._next else 0

    def _fitting(self, max_rows: int, max_bytes: int, *, at_least: bool) -> int:
        limit = self._start() + max_bytes
        fit = int(np.searchsorted(self._block.ends, limit, side="right")) - self._next
        left = len(self._block.ends) - self._next
        return max(min(fit, max_rows, left), int(at_least))

    def _cut(self, rows: int) -> bytes:
        start = self._start()
        self._next += rows
        piece = self._block.data[start : self._block.ends[self._next - 1]]
        self.bytes_read += len(piece)
        return piece

    def _all_blocks(self, source: Source) -> Iterator[Block]:
        behind = 0
        for path in source.files:
            yield from blocks(path, source.format)
            behind += path.stat().st_size
            self.bytes_read = behind


def _agreed_header(source: Source, columns: tuple[str, ...]) -> tuple[str, ...]:
    header: tuple[str, ...] = ()
    for path in source.files:
        found = _header_of(path.name, csv_header(path))
        if not found:
            continue
        if header and found != header:
            raise OrchError.of(
                Code.BAD_VALUE,
                f"the header of '{path.name}' differs from that of the files before",
                facts=(f"before: {', '.join(header)}", f"here: {', '.join(found)}"),
                fix="give all CSV files of input.path the same columns",
            )
        header = found
    missing = [name for name in columns if name not in header]
    if missing and header:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"the CSV input has no column '{missing[0]}'",
            facts=(f"columns there are: {', '.join(header)}",),
            fix="name existing columns in input.text, input.fields and input.id_field",
        )
    return header


def _header_of(name: str, raw: bytes) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([raw.decode().rstrip("\r\n")]), ()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"the header of '{name}' cannot be read: {error}",
            fix="save the file as CSV in UTF-8",
        ) from None
