"""Finished chunks on disk: each a part, there whole or not at all.

A part is an Arrow IPC stream of the good rows, then its failures as JSON, then a
footer of two lengths and a mark. Its name holds its range of rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from orchestrator.data.decode import KEY_BYTES
from orchestrator.data.files import remove_leftovers, write_atomic
from orchestrator.data.rows import RowFailure, Rows
from orchestrator.errors import Code, OrchError

ROW, KEY, ID = "_row", "_key", "id"
KEY_TYPE = pa.binary(KEY_BYTES)
RESERVED_COLUMNS = frozenset({ROW, KEY, ID, "row"})

Column = NDArray[np.generic] | Sequence[object]

_SUFFIX = ".arrow"
_FOOTER = struct.Struct("<QQ8s")
_MARK = b"orchpart"


@dataclass(frozen=True, slots=True)
class Part:
    """A finished chunk, read back.

    Attributes:
        first_row: Number of its first row in the whole input.
        rows: How many rows it spans: the good ones and the failed ones.
        table: The good rows: `_row`, `_key`, `id` and the outputs. Mapped, not read.
        failures: The others.
    """

    first_row: int
    rows: int
    table: pa.Table
    failures: list[RowFailure]


def encode_part(rows: Rows, columns: Mapping[str, Column]) -> bytes:
    """Good rows and their outputs as an Arrow IPC stream.

    Args:
        rows: The rows that were done; `n` of them.
        columns: For each output `n` values: an array of shape `(n,)`, or `(n, d)`
            and more, or a list. Half precision becomes single.

    Raises:
        OrchError: E401 when an output has another length, a reserved name, or values
            of no common type.
    """
    keys = pa.FixedSizeBinaryArray.from_buffers(
        KEY_TYPE, len(rows), [None, pa.py_buffer(b"".join(rows.keys))]
    )
    arrays = {
        ROW: pa.array(np.array(rows.numbers, np.int64)),
        KEY: keys,
        ID: pa.array(rows.ids, pa.string()),
    }
    for name, values in columns.items():
        if name in RESERVED_COLUMNS:
            raise _column_error(name, f"the name is reserved; the others are: {ID}")
        if len(values) != len(rows):
            raise _column_error(name, f"{len(values)} values for {len(rows)} rows")
        arrays[name] = column_array(name, values)
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))
    return stream_of(pa.Table.from_batches([batch]))


def stream_of(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def combine(stream: bytes | memoryview, reused: pa.Table) -> bytes:
    """The rows of an encoded part and `reused` ones of the same chunk, in order.

    Raises:
        OrchError: E401 when an output has incompatible types in the two.
    """
    new = pa.ipc.open_stream(stream).read_all()
    tables = [table for table in (new, reused) if table.num_rows] or [new]
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise OrchError.of(
            Code.USER_CODE_RAISED,
            f"outputs of this run and of the one before do not go together: {error}",
            fix="set output.on_exists: overwrite, or choose another output.path",
        ) from None
    return stream_of(whole.sort_by(ROW))


def read_part(path: Path) -> Part:
    """The part at `path`; its table stays on disk until it is used.

    Raises:
        OrchError: E900 when the file is not a whole part.
    """
    data = pa.memory_map(str(path)).read_buffer()
    view = memoryview(data)
    if len(view) < _FOOTER.size:
        raise _not_a_part(path)
    table_bytes, failure_bytes, mark = _FOOTER.unpack(view[-_FOOTER.size :])
    if mark != _MARK or table_bytes + failure_bytes + _FOOTER.size != len(view):
        raise _not_a_part(path)
    first_row, rows = _range_of(path)
    table = pa.ipc.open_stream(data.slice(0, table_bytes)).read_all()
    raw = orjson.loads(view[table_bytes : table_bytes + failure_bytes])
    failures = [
        RowFailure(row, name, Code(code), text) for row, name, code, text in raw
    ]
    return Part(first_row, rows, table, failures)


def keys_of(table: pa.Table) -> bytes:
    """The keys in a part's table, 16 bytes each, one after the other."""
    chunks = table[KEY].chunks
    return b"".join(
        memoryview(chunk.buffers()[1])[chunk.offset * KEY_BYTES :][
            : len(chunk) * KEY_BYTES
        ]
        for chunk in chunks
    )


class PartStore:
    """The parts of a run, in a folder of their own.

    Opening it removes what a crash left half-written. `write` may be called from
    several threads for different ranges.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)

    def write(
        self,
        first_row: int,
        rows: int,
        table: bytes | memoryview,
        failures: Sequence[RowFailure],
    ) -> Path:
        """Store the outcome of a chunk; on return it survives a power cut.

        Writing the same range again replaces the part.
        """
        raw = [(item.row, item.id, item.code, item.message) for item in failures]
        failed = orjson.dumps(raw)
        footer = _FOOTER.pack(len(table), len(failed), _MARK)
        path = self._folder / f"{first_row:012d}-{rows:09d}{_SUFFIX}"
        write_atomic(path, (table, failed, footer))
        return path

    def paths(self) -> list[Path]:
        """The parts in order of their rows."""
        return sorted(self._folder.glob(f"*{_SUFFIX}"), key=_range_of)

    def done_ranges(self) -> list[tuple[int, int]]:
        """What is finished, as `(first_row, rows)`, in order."""
        return [_range_of(path) for path in self.paths()]


def in_order(paths: Iterable[Path], first_row: int = 0) -> Iterator[Path]:
    """Parts in order of their rows, from parts that come in any order.

    Each is passed on as soon as all before it were; those that come early wait. At the
    end, parts behind a gap are passed on too, for the merge to complain about.
    """
    waiting: dict[int, Path] = {}
    for path in paths:
        waiting[_range_of(path)[0]] = path
        while (ready := waiting.pop(first_row, None)) is not None:
            first_row += _range_of(ready)[1]
            yield ready
    yield from sorted(waiting.values(), key=_range_of)


def _range_of(path: Path) -> tuple[int, int]:
    first_row, rows = path.stem.split("-")
    return int(first_row), int(rows)


def column_array(name: str, values: Column) -> pa.Array:
    """One output as an Arrow array, without a copy where memory allows it.

    Raises:
        OrchError: E401 when the values have no common type.
    """
    try:
        if isinstance(values, np.ndarray) and values.ndim:
            return _from_numpy(values)
        return pa.array(values, from_pandas=False)
    except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
        raise _column_error(name, f"no common type for its values: {error}") from None


def _from_numpy(values: NDArray[np.generic]) -> pa.Array:
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    array = pa.array(np.ascontiguousarray(values).reshape(-1))
    for size in reversed(values.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, size)
    return array


def _column_error(name: str, what: str) -> OrchError:
    return OrchError.of(
        Code.USER_CODE_RAISED,
        f"the model's output '{name}' cannot be stored: {what}",
        fix="return for each row a number, a text, a vector, or a dict of these",
    )


def _not_a_part(path: Path) -> OrchError:
    return OrchError.of(Code.BUG, f"'{path}' is not a whole part", fix="remove it")
