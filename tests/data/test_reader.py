from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.data.decode import decode
from orchestrator.data.reader import Reader
from orchestrator.data.records import record_ends
from orchestrator.data.rows import Chunk, ChunkFormat
from orchestrator.data.source import Source, count_rows
from orchestrator.errors import Code, OrchError
from tests.data.runs import read_all

SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=5)
BYTES = st.integers(1, 60)
CELL = st.text(st.sampled_from('a,"\n é'), max_size=6)


def lines_of(chunks: Iterable[Chunk]) -> list[bytes]:
    return [
        line.removesuffix(b"\r")
        for chunk in chunks
        for line in chunk.payload.split(b"\n")
        if line.strip()
    ]


def check_numbers(chunks: list[Chunk], done: set[int], total: int) -> None:
    shipped = [n for c in chunks for n in range(c.first_row, c.first_row + c.rows)]
    assert shipped == [n for n in range(total) if n not in done]


def source_of(folder: str | Path, kind: ChunkFormat, *contents: bytes) -> Source:
    paths = [Path(folder) / f"{i:03d}" for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return Source(tuple(paths), kind)


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=3), SIZES, BYTES)
@example([b"\xef\xbb\xbfa\r\nb", b"c\n\n \nd"], [2], 4)
def test_lines_come_once_and_in_order_whatever_the_bytes(
    contents: list[bytes], sizes: list[int], max_bytes: int
) -> None:
    expected = [
        line.removesuffix(b"\r")
        for content in contents
        for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if line.strip()
    ]
    with TemporaryDirectory() as folder:
        source = source_of(folder, ChunkFormat.JSONL, *contents)
        chunks = read_all(Reader(source, ("text",), ()), sizes, max_bytes)
        assert count_rows(source) == len(expected)
    assert lines_of(chunks) == expected
    check_numbers(chunks, set(), len(expected))
    assert all(c.rows == 1 or len(c.payload) <= max_bytes for c in chunks)


@given(
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=4),
    SIZES,
)
def test_finished_rows_are_never_shipped_again(
    total: int, done: list[tuple[int, int]], sizes: list[int]
) -> None:
    content = b"".join(b"row %d\n" % i for i in range(total))
    with TemporaryDirectory() as folder:
        source = source_of(folder, ChunkFormat.TEXT, content)
        chunks = read_all(Reader(source, ("text",), done), sizes, 1000)
    finished = {n for first, rows in done for n in range(first, first + rows)}
    check_numbers(chunks, finished, total)
    texts = [f"row {n}".encode() for n in range(total) if n not in finished]
    assert lines_of(chunks) == texts


@given(
    st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.booleans(),
    SIZES,
)
def test_csv_equals_the_csv_module(
    table: list[list[str]],
    ending: str,
    quoting: int,
    last_newline: bool,
    sizes: list[int],
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=ending, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([["text", "b"], *table])
    text = out.getvalue() if last_newline else out.getvalue().removesuffix(ending)
    assert cells_of(text, sizes) == table


@given(st.text(st.sampled_from('a,"\n'), max_size=60), SIZES)
@example('5" pipe,1\n"x",2\n', [1])
@example('"never closed,1\nnext,2\n', [2])
@example('a"b,"c\nd",2\ne,"f""\n",\n', [1])
def test_csv_with_stray_quotes_equals_the_csv_module_too(
    body: str, sizes: list[int]
) -> None:
    rows = [cells for cells in csv.reader(io.StringIO(body, newline="")) if cells]
    assert cells_of("text,b\n" + body, sizes) == [c for c in rows if len(c) == 2]


def cells_of(text: str, sizes: list[int]) -> list[list[str]]:
    with TemporaryDirectory() as folder:
        source = source_of(folder, ChunkFormat.CSV, text.encode())
        chunks = read_all(Reader(source, ("text",), ()), sizes, 1000)
        rows = sum(chunk.rows for chunk in chunks)
        assert count_rows(source) == rows
    check_numbers(chunks, set(), rows)
    decoded = [decode(chunk, ("text", "b"), None) for chunk in chunks]
    assert sum(len(good) + len(bad) for good, bad in decoded) == rows
    return [list(fields) for good, _ in decoded for fields in good.fields]


@given(st.binary(max_size=60))
def test_records_end_where_a_prefix_says_they_end(data: bytes) -> None:
    ends, cut = record_ends(data, ChunkFormat.CSV)
    again, same = record_ends(data[:cut], ChunkFormat.CSV)
    assert ends.tolist() == again.tolist()
    assert same == cut


def test_csv_files_follow_each_other_without_their_headers(tmp_path: Path) -> None:
    source = source_of(tmp_path, ChunkFormat.CSV, b"text\na", b"text\r\nb\r\n", b"")
    (chunk,) = read_all(Reader(source, ("text",), ()), [9], 1000)
    rows, failures = decode(chunk, ("text",), None)
    assert (rows.fields, failures) == ([("a",), ("b",)], [])


def test_columns_that_are_not_there_are_named_with_those_that_are(
    tmp_path: Path,
) -> None:
    pq.write_table(pa.table({"title": ["a"], "body": ["b"]}), tmp_path / "a.parquet")
    parquet = Source((tmp_path / "a.parquet",), ChunkFormat.ARROW)
    comma = source_of(tmp_path, ChunkFormat.CSV, b"title,body\na,b\n")
    for source in (parquet, comma):
        with pytest.raises(OrchError) as caught:
            Reader(source, ("text",), ())
        fault = caught.value.fault
        assert fault.code is Code.BAD_VALUE
        assert "'text'" in fault.message
        assert fault.facts == ("columns there are: title, body",)


@pytest.mark.parametrize(
    ("contents", "word"),
    [
        ((b"a,b\n1,2\n", b"b,a\n1,2\n"), "differs"),
        ((b"a,\xff\n",), "cannot be read"),
    ],
)
def test_bad_csv_headers_are_refused(
    tmp_path: Path, contents: tuple[bytes, ...], word: str
) -> None:
    with pytest.raises(OrchError, match=word):
        Reader(source_of(tmp_path, ChunkFormat.CSV, *contents), ("a",), ())


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OrchError, match="cannot be read as Parquet"):
        Reader(source_of(tmp_path, ChunkFormat.ARROW, b"no"), ("a",), ())


@given(
    st.lists(st.integers(1, 9), max_size=6),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=3),
    SIZES,
    BYTES,
)
def test_parquet_rows_come_once_in_order_and_only_the_wanted_columns(
    groups: list[int], done: list[tuple[int, int]], sizes: list[int], max_bytes: int
) -> None:
    total = sum(groups)
    table = pa.table({"text": [f"r{i}" for i in range(total)], "n": range(total)})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        with pq.ParquetWriter(path, table.schema) as writer:
            start = 0
            for rows in groups:
                writer.write_table(table.slice(start, rows))
                start += rows
        reader = Reader(Source((path, path), ChunkFormat.ARROW), ("text",), done)
        chunks = read_all(reader, sizes, max_bytes)
    finished = {n for first, rows in done for n in range(first, first + rows)}
    check_numbers(chunks, finished, 2 * total)
    decoded = [decode(chunk, ("text",), None)[0] for chunk in chunks]
    expected = [(f"r{n % total}",) for n in range(2 * total) if n not in finished]
    assert [fields for rows in decoded for fields in rows.fields] == expected
    assert all(pa.ipc.open_stream(c.payload).schema.names == ["text"] for c in chunks)


def test_a_long_line_is_a_chunk_of_one_row_and_memory_stays_flat(
    tmp_path: Path,
) -> None:
    long = b"x" * (5 << 20)
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.write(b"short\n" + long + b"\n")
        for _ in range(30):
            file.write(b"y" * 1023 + b"\n" + b"z\n" * (1 << 19))
    reader = Reader(Source((path,), ChunkFormat.TEXT), ("text",), ())
    rows = []
    tracemalloc.start()
    while (chunk := reader.next_chunk(4096, 1 << 20)) is not None:
        rows.append((chunk.rows, len(chunk.payload)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows[:2] == [(1, 6), (1, len(long) + 1)]
    assert max(size for _, size in rows[2:]) <= 1 << 20
    assert peak < 64 << 20 < 2 * path.stat().st_size
    assert reader.bytes_read == reader.bytes_total == path.stat().st_size
