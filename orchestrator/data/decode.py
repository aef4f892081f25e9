"""Turns raw chunks into rows. What is wrong with a row becomes its failure."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa

from orchestrator.data.records import record_ends
from orchestrator.data.rows import Chunk, ChunkFormat, RowFailure, Rows
from orchestrator.errors import Code

Record = dict[str, Any]

KEY_BYTES = 16
_KEY_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
# The csv module's own limit, 128 KiB a field, guards other programs than this one.
csv.field_size_limit(2**31 - 1)


class _RowError(Exception):
    """What is wrong with one row; never leaves this module."""

    code = Code.BAD_VALUE


def decode(
    chunk: Chunk, fields: tuple[str, ...], id_field: str | None
) -> tuple[Rows, list[RowFailure]]:
    """The rows of `chunk`, and the failures of those that cannot be read.

    Never raises for what stands in the chunk. Rows in `chunk.skip` are left out.
    Of plain text, the line is the first field, whatever its name.

    A row's key is a hash of its id, where there is an `id_field`, and of the values of
    `fields`: a row whose text was edited is another row, and so are two rows of one
    id. It depends neither on the row's place nor on the format of the file.

    Returns:
        The good rows, and for every other row that is not skipped a failure: E202
        for a missing field, E203 for anything else.
    """
    rows = Rows([], [], [], [])
    failures: list[RowFailure] = []
    read = _RowReading(fields, id_field).read
    for number, record in enumerate(_records(chunk, fields), chunk.first_row):
        if number in chunk.skip:
            continue
        outcome = read(number, record)
        if isinstance(outcome, RowFailure):
            failures.append(outcome)
            continue
        key, name, values = outcome
        rows.numbers.append(number)
        rows.keys.append(key)
        rows.ids.append(name)
        rows.fields.append(values)
    return rows, failures


class _RowReading:
    """Picks from a record what is wanted."""

    def __init__(self, fields: tuple[str, ...], id_field: str | None) -> None:
        self._fields = fields
        self._values_of = _getter(fields)
        self._id_field = id_field

    def read(
        self, number: int, record: Record | _RowError
    ) -> tuple[bytes, str | None, tuple[Any, ...]] | RowFailure:
        """Key, id and values of a row, or its failure."""
        name: str | None = None
        if isinstance(record, _RowError):
            return RowFailure(number, name, record.code, str(record))
        try:
            if self._id_field is not None:
                name = _id_text(record[self._id_field], self._id_field)
            values = self._values_of(record)
            if None in values:
                raise _RowError(f"field '{self._fields[values.index(None)]}' is null")
            key = _key(name, values)
        except _RowError as error:
            return RowFailure(number, name, error.code, str(error))
        except KeyError as error:
            message = f"no field '{error.args[0]}'; there are: {_names(record)}"
            return RowFailure(number, name, Code.MISSING_FIELD, message)
        return key, name, values


def _getter(fields: tuple[str, ...]) -> Callable[[Record], tuple[Any, ...]]:
    if len(fields) == 1:
        (only,) = fields
        return lambda record: (record[only],)
    return itemgetter(*fields) if fields else lambda _: ()


def _names(record: Iterable[str]) -> str:
    names = list(record)
    return ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")


def _id_text(value: object, field: str) -> str:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _RowError(f"the id in field '{field}' is not a text or a whole number")


def _key(name: str | None, values: tuple[Any, ...]) -> bytes:
    try:
        data = orjson.dumps(values, default=str, option=_KEY_OPTIONS)
    except TypeError as error:
        raise _RowError(f"the values cannot be written as JSON: {error}") from None
    start = b"c" if name is None else b"i" + name.encode() + b"\0"
    return hashlib.blake2b(start + data, digest_size=KEY_BYTES).digest()


def _records(
    chunk: Chunk, fields: tuple[str, ...]
) -> Iterator[Record] | Iterator[Record | _RowError]:
    match chunk.format:
        case ChunkFormat.JSONL:
            return _json_records(chunk.payload)
        case ChunkFormat.TEXT:
            return _text_records(chunk.payload, fields[0])
        case ChunkFormat.CSV:
            return _csv_records(chunk)
        case ChunkFormat.ARROW:
            return _arrow_records(chunk.payload)


def _json_records(payload: bytes) -> Iterator[Record | _RowError]:
    loads = orjson.loads
    for line in payload.split(b"\n"):
        try:
            record = loads(line)
        except orjson.JSONDecodeError as error:
            if line and not line.isspace():
                yield _not_utf8(line) or _bad_json(error)
            continue
        if isinstance(record, dict):
            yield record
        else:
            yield _RowError(f"not a JSON object but {_json_kind(record)}")


def _bad_json(error: orjson.JSONDecodeError) -> _RowError:
    return _RowError(f"not valid JSON: {error.msg} at character {error.pos + 1}")


def _json_kind(value: object) -> str:
    match value:
        case None | bool():
            return str(orjson.dumps(value), "ascii")
        case str():
            return "a text"
        case list():
            return "an array"
        case _:
            return "a number"


def _not_utf8(raw: bytes) -> _RowError | None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        return _RowError(f"not valid UTF-8: byte 0x{byte:02x} at {error.start + 1}")
    return None


def _text_records(payload: bytes, field: str) -> Iterator[Record | _RowError]:
    for raw in payload.split(b"\n"):
        if raw and not raw.isspace():
            line = raw.removesuffix(b"\r")
            yield _not_utf8(line) or {field: line.decode()}


def _csv_records(chunk: Chunk) -> Iterator[Record | _RowError]:
    try:
        text = io.StringIO(chunk.payload.decode(), newline="")
        found = [cells for cells in csv.reader(text) if cells]
    except (UnicodeDecodeError, csv.Error):
        found = []
    if len(found) != chunk.rows:
        yield from _csv_records_one_by_one(chunk)
        return
    for cells in found:
        yield _csv_record(cells, chunk.header)


def _csv_records_one_by_one(chunk: Chunk) -> Iterator[Record | _RowError]:
    ends, cut = record_ends(chunk.payload, chunk.format)
    stops = ends.tolist()
    if len(stops) < chunk.rows and cut < len(chunk.payload):
        stops.append(len(chunk.payload))
    start = 0
    for stop in stops:
        raw = chunk.payload[start:stop].strip(b"\r\n")
        start = stop
        yield _not_utf8(raw) or _csv_record_of(raw.decode(), chunk.header)


def _csv_record_of(text: str, header: tuple[str, ...]) -> Record | _RowError:
    try:
        found = list(csv.reader([text]))
    except csv.Error as error:
        return _RowError(f"not valid CSV: {error}")
    return _csv_record(found[0] if found else [], header)


def _csv_record(cells: list[str], header: tuple[str, ...]) -> Record | _RowError:
    if len(cells) != len(header):
        return _RowError(f"{len(cells)} columns where the header has {len(header)}")
    return dict(zip(header, cells, strict=True))


def _arrow_records(payload: bytes) -> Iterator[Record | _RowError]:
    for batch in pa.ipc.open_stream(payload):
        try:
            yield from batch.to_pylist()
        except (ValueError, OverflowError):
            yield from (_arrow_record(batch, i) for i in range(batch.num_rows))


def _arrow_record(batch: pa.RecordBatch, index: int) -> Record | _RowError:
    try:
        record: Record = batch.slice(index, 1).to_pylist()[0]
    except UnicodeDecodeError:
        return _RowError("not valid UTF-8")
    except (ValueError, OverflowError) as error:
        return _RowError(f"a value cannot be read: {error}")
    return record
