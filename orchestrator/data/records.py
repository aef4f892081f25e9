"""Where the rows of a text file end: blocks of whole records, found without decoding.

A line of JSONL or plain text that is empty or only white space is no row; nor is an
empty line of a CSV file. Lines end with LF or CRLF. Quotes in CSV count the way
Python's `csv` module counts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.data.rows import ChunkFormat
from orchestrator.errors import Code, OrchError
from orchestrator.units import MIB, format_memory

Ends = NDArray[np.int64]

BLOCK_BYTES = 2 * MIB
_RECORD_LIMIT_BYTES = 256 * MIB
_BOM = b"\xef\xbb\xbf"
_LF, _CR, _QUOTE, _COMMA, _SPACE = b'\n\r", '
_WHITE_LINE = re.compile(rb"[ \t\n\r\v\f]*+")
_EMPTY_LINE = re.compile(rb"[\r\n]*+")
_CSV_FIELD = rb'(?:"(?:[^"]++|"")*+"[^,\n]*+|[^",\n][^,\n]*+|(?=[,\n]))'
_CSV_RECORD = re.compile(_CSV_FIELD + rb"(?:," + _CSV_FIELD + rb")*+\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a file, made of whole records.

    Attributes:
        data: The bytes; blank lines may stand before, between and after the rows.
        ends: For each row the offset behind its last byte, newline included.
        open_quote: It ends within quotes that are never closed; nothing may follow.
    """

    data: bytes
    ends: Ends
    open_quote: bool = False


def blocks(path: Path, kind: ChunkFormat) -> Iterator[Block]:
    """The rows of a file, a few MiB at a time.

    The byte order mark is left out, and so is the header of a CSV file.
    """
    skip_header = kind is ChunkFormat.CSV
    for block in _raw_blocks(path, kind):
        if not skip_header:
            yield block
        elif len(block.ends):
            skip_header = False
            start = int(block.ends[0])
            ends = block.ends[1:] - start
            yield Block(block.data[start:], ends, block.open_quote)


def csv_header(path: Path) -> bytes:
    """The first record of a CSV file as it stands; empty if there is none."""
    for block in _raw_blocks(path, ChunkFormat.CSV):
        if len(block.ends):
            return block.data[: block.ends[0]]
    return b""


def record_ends(data: bytes, kind: ChunkFormat) -> tuple[Ends, int]:
    """Offsets behind each row of `data`, and behind its last complete record.

    `data` starts at the start of a record; what follows the last complete record is
    the beginning of the next one.
    """
    if kind is ChunkFormat.CSV:
        ends = _csv_boundaries(data)
        blank = _EMPTY_LINE
    else:
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _LF) + 1
        blank = _WHITE_LINE
    cut = int(ends[-1]) if len(ends) else 0
    return _without_blank(data, ends, blank), cut


def _raw_blocks(path: Path, kind: ChunkFormat) -> Iterator[Block]:
    tail, want, at_start = b"", BLOCK_BYTES, True
    with path.open("rb", buffering=0) as file:
        while fresh := file.read(want):
            data = tail + fresh
            if at_start:
                at_start, data = False, data.removeprefix(_BOM)
            ends, cut = record_ends(data, kind)
            tail = data[cut:]
            # Doubling keeps the scans of one very long record linear in its length.
            want = BLOCK_BYTES if cut else max(want, len(tail))
            _check_record_size(path, kind, len(tail))
            if len(ends):
                yield Block(data, ends)
    if tail:
        yield from _last_block(tail, kind)


def _last_block(tail: bytes, kind: ChunkFormat) -> Iterator[Block]:
    closed = tail if tail.endswith(b"\n") else tail + b"\n"
    ends, cut = record_ends(closed, kind)
    if cut == len(closed):
        yield Block(closed, ends)
    else:
        yield Block(tail, np.append(ends, len(tail)), open_quote=True)


def _check_record_size(path: Path, kind: ChunkFormat, size: int) -> None:
    if kind is ChunkFormat.CSV and size > _RECORD_LIMIT_BYTES:
        limit = format_memory(_RECORD_LIMIT_BYTES)
        raise OrchError.of(
            Code.BAD_VALUE,
            f"'{path.name}' has a CSV record of more than {limit}",
            fix="look for a quote that is opened and never closed",
        )


def _without_blank(data: bytes, ends: Ends, blank: re.Pattern[bytes]) -> Ends:
    if not len(ends):
        return ends
    view = np.frombuffer(data, np.uint8)
    starts = np.concatenate(([0], ends[:-1]))
    # Only a line that starts with white space can be blank; few do.
    suspects = np.flatnonzero(view[starts] <= _SPACE)
    drop = [i for i in suspects.tolist() if blank.fullmatch(data, starts[i], ends[i])]
    return np.delete(ends, drop) if drop else ends


def _csv_boundaries(data: bytes) -> Ends:
    view = np.frombuffer(data, np.uint8)
    newlines: Ends = np.flatnonzero(view == _LF)
    quotes = np.flatnonzero(view == _QUOTE)
    if not len(quotes):
        return newlines + 1
    # A newline ends a record if the quotes before it are even in number, provided
    # that all quotes stand where quotes may stand.
    outside = np.searchsorted(quotes, newlines) % 2 == 0
    ends: Ends = newlines[outside] + 1
    if _well_quoted(view, quotes, int(ends[-1]) if len(ends) else len(data)):
        return ends
    return _csv_boundaries_one_by_one(data)


def _well_quoted(view: NDArray[np.uint8], quotes: Ends, cut: int) -> bool:
    opening, closing = quotes[::2], quotes[1::2]
    opening = opening[(opening < cut) & (opening > 0)]
    closing = closing[closing + 1 < len(view)]
    before, after = view[opening - 1], view[closing + 1]
    starts_field = (before == _COMMA) | (before == _LF) | (before == _QUOTE)
    ends_field = (after == _COMMA) | (after == _LF) | (after == _QUOTE) | (after == _CR)
    return bool(starts_field.all() and ends_field.all())


def _csv_boundaries_one_by_one(data: bytes) -> Ends:
    ends, position = [], 0
    while match := _CSV_RECORD.match(data, position):
        position = match.end()
        ends.append(position)
    return np.array(ends, np.int64)
