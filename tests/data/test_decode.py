from __future__ import annotations

import datetime
import decimal

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.data.decode import decode
from orchestrator.data.rows import Chunk, ChunkFormat
from orchestrator.errors import Code


def jsonl(payload: bytes, rows: int = 1, skip: frozenset[int] = frozenset()) -> Chunk:
    return Chunk(10, rows, ChunkFormat.JSONL, payload, skip=skip)


def arrow(table: pa.Table) -> Chunk:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    payload = sink.getvalue().to_pybytes()
    return Chunk(10, table.num_rows, ChunkFormat.ARROW, payload)


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (b'{"text": "\xff"}', Code.BAD_VALUE, "not valid UTF-8: byte 0xff at 11"),
        (b'{"text": }', Code.BAD_VALUE, "not valid JSON: "),
        (b'{"text": "a"', Code.BAD_VALUE, "at character 14"),
        (b'["text"]', Code.BAD_VALUE, "not a JSON object but an array"),
        (b'"text"', Code.BAD_VALUE, "not a JSON object but a text"),
        (b"null", Code.BAD_VALUE, "not a JSON object but null"),
        (b"1.5", Code.BAD_VALUE, "not a JSON object but a number"),
        (b'{"id": 1, "b": 2}', Code.MISSING_FIELD, "no field 'text'; there are: id, b"),
        (b'{"text": null}', Code.BAD_VALUE, "field 'text' is null"),
        (b'{"text":' + b"[" * 400 + b"]" * 400 + b"}", Code.BAD_VALUE, "JSON"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(
    line: bytes, code: Code, message: str
) -> None:
    good = b'{"text": "good"}'
    rows, failures = decode(jsonl(line + b"\r\n\n" + good, 2), ("text",), None)
    assert (rows.numbers, rows.fields) == ([11], [("good",)])
    (failure,) = failures
    assert (failure.row, failure.code) == (10, code)
    assert message in failure.message


@pytest.mark.parametrize(
    ("line", "id_", "message"),
    [
        (b'{"text": "a"}', None, "no field 'id'"),
        (b'{"text": "a", "id": ""}', None, "not a text or a whole number"),
        (b'{"text": "a", "id": true}', None, "not a text or a whole number"),
        (b'{"text": "a", "id": [1]}', None, "not a text or a whole number"),
        (b'{"id": 7}', "7", "no field 'text'"),
        (b'{"id": "x", "text": null}', "x", "null"),
    ],
)
def test_a_failure_carries_the_id_if_there_is_one(
    line: bytes, id_: str | None, message: str
) -> None:
    _, (failure,) = decode(jsonl(line), ("text",), "id")
    assert failure.id == id_
    assert message in failure.message


def test_skipped_rows_are_left_out_good_or_bad() -> None:
    payload = b'{"text":"a"}\nbad\n{"text":"c"}\nbad\n'
    rows, failures = decode(
        jsonl(payload, 4, skip=frozenset({10, 11})), ("text",), None
    )
    assert (rows.numbers, [f.row for f in failures]) == ([12], [13])


def test_the_key_depends_on_content_not_on_place_or_format() -> None:
    text = "Grüße, world"
    chunks = [
        jsonl(orjson.dumps({"n": 1, "text": text})),
        jsonl(b'{"text": "Gr\\u00fc\\u00dfe, world", "id": 5}\n'),
        Chunk(3, 1, ChunkFormat.TEXT, text.encode() + b"\r\n"),
        Chunk(4, 1, ChunkFormat.CSV, f'1,"{text}"\n'.encode(), ("n", "text")),
        arrow(pa.table({"text": [text]})),
    ]
    keys = {decode(chunk, ("text",), None)[0].keys[0] for chunk in chunks}
    assert len(keys) == 1
    other = decode(jsonl(b'{"text": "other"}'), ("text",), None)[0].keys[0]
    assert other not in keys
    assert len(other) == 16


def test_with_an_id_the_key_is_of_id_and_content() -> None:
    one = jsonl(b'{"id": 5, "text": "a"}')
    two = Chunk(0, 1, ChunkFormat.CSV, b"5,a\n", ("id", "text"))
    edited = jsonl(b'{"id": 5, "text": "b"}')
    other = jsonl(b'{"id": 6, "text": "a"}')
    first, same, *others = (
        decode(chunk, ("text",), "id")[0] for chunk in (one, two, edited, other)
    )
    assert first.keys == same.keys
    assert first.ids == ["5"]
    assert all(rows.keys != first.keys for rows in others)
    by_content = decode(jsonl(b'{"id": "5"}'), ("id",), None)[0]
    assert by_content.keys != first.keys
    assert by_content.ids == [None]


def test_fields_come_in_their_order() -> None:
    line = b'{"b": {"y": 1, "x": [2]}, "a": 1.5}'
    rows, _ = decode(jsonl(line), ("a", "b"), None)
    assert rows.fields == [(1.5, {"y": 1, "x": [2]})]
    same = decode(jsonl(b'{"a": 1.5, "b": {"x": [2], "y": 1}}'), ("a", "b"), None)[0]
    assert same.keys == rows.keys


def test_csv_rows_fail_alone() -> None:
    payload = b'1,a\n2\n3,"\xff"\n4,"x\r\ny"\n5,e,f\n'
    chunk = Chunk(0, 5, ChunkFormat.CSV, payload, ("id", "text"))
    rows, failures = decode(chunk, ("text",), "id")
    assert rows.fields == [("a",), ("x\r\ny",)]
    assert [(f.row, f.message) for f in failures] == [
        (1, "1 columns where the header has 2"),
        (2, "not valid UTF-8: byte 0xff at 4"),
        (4, "3 columns where the header has 2"),
    ]


def test_a_csv_field_may_be_long() -> None:
    payload = b'"' + b"x" * 300_000 + b'"\n'
    rows, _ = decode(Chunk(0, 1, ChunkFormat.CSV, payload, ("text",)), ("text",), None)
    assert len(rows.fields[0][0]) == 300_000


def test_arrow_values_of_any_type_get_a_key_and_bad_ones_a_failure() -> None:
    broken = pa.Array.from_buffers(
        pa.string(),
        2,
        [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")],
    )
    rows, failures = decode(arrow(pa.table({"text": broken})), ("text",), None)
    assert (rows.fields, failures[0].message) == ([("a",)], "not valid UTF-8")
    values = [decimal.Decimal("1.5"), datetime.date(2026, 1, 1), b"\xff", {"a": 1}]
    for value in values:
        rows, failures = decode(arrow(pa.table({"v": [value]})), ("v",), None)
        assert (rows.fields, failures) == ([(value,)], [])


@given(
    st.sampled_from([ChunkFormat.JSONL, ChunkFormat.TEXT, ChunkFormat.CSV]),
    st.binary(max_size=60) | st.text(st.sampled_from('{}"a:,1\r\n'), max_size=40),
    st.integers(0, 5),
    st.sampled_from([None, "id", "text"]),
)
def test_decode_never_raises(
    kind: ChunkFormat, payload: bytes | str, rows: int, id_field: str | None
) -> None:
    raw = payload if isinstance(payload, bytes) else payload.encode()
    good, bad = decode(Chunk(0, rows, kind, raw, ("id", "text")), ("text",), id_field)
    numbers = sorted([*good.numbers, *(failure.row for failure in bad)])
    assert numbers == list(range(len(numbers)))
    assert len(good.keys) == len(good.ids) == len(good.fields) == len(good)
