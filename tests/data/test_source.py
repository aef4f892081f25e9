from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.data.rows import ChunkFormat
from orchestrator.data.source import (
    Source,
    count_rows,
    fingerprint,
    resolve_inputs,
    stamp,
)
from orchestrator.errors import Code, OrchError
from orchestrator.spec.job import Input


def code_of(spec: Input, folder: Path) -> Code:
    with pytest.raises(OrchError) as caught:
        resolve_inputs(spec, folder)
    return caught.value.fault.code


def test_a_pattern_gives_its_files_in_sorted_order(tmp_path: Path) -> None:
    folder = tmp_path / "with [brackets]"
    (folder / "data").mkdir(parents=True)
    for name in ("b.jsonl", "a.ndjson", "c.json"):
        (folder / "data" / name).write_text("{}\n")
    source = resolve_inputs(Input(path="data/*"), folder)
    assert [path.name for path in source.files] == ["a.ndjson", "b.jsonl", "c.json"]
    assert source.format is ChunkFormat.JSONL
    absolute = resolve_inputs(Input(path=str(folder / "data" / "b.jsonl")), tmp_path)
    assert [path.name for path in absolute.files] == ["b.jsonl"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.CSV", ChunkFormat.CSV),
        ("x.pq", ChunkFormat.ARROW),
        ("x.md", ChunkFormat.TEXT),
        ("x.txt", ChunkFormat.TEXT),
    ],
)
def test_the_ending_tells_the_format(
    tmp_path: Path, name: str, kind: ChunkFormat
) -> None:
    (tmp_path / name).write_text("")
    assert resolve_inputs(Input(path=name), tmp_path).format is kind


def test_what_cannot_be_read_is_refused_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}")
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "a.xyz").write_text("x")
    (tmp_path / "array.json").write_text(' [{"text": "x"}]')
    assert code_of(Input(path="none/*.jsonl"), tmp_path) is Code.FILE_NOT_FOUND
    assert code_of(Input(path="a.[cj]*"), tmp_path) is Code.BAD_VALUE
    assert code_of(Input(path="a.xyz"), tmp_path) is Code.BAD_VALUE
    assert code_of(Input(path="array.json"), tmp_path) is Code.BAD_VALUE
    named = resolve_inputs(Input(path="a.xyz", format="text"), tmp_path)
    assert named.format is ChunkFormat.TEXT


def test_fingerprint_follows_content_and_names_but_not_the_folder(
    tmp_path: Path,
) -> None:
    prints = []
    for folder, name, text in (
        ("one", "a.txt", "x"),
        ("two", "a.txt", "x"),
        ("three", "b.txt", "x"),
        ("four", "a.txt", "y"),
    ):
        path = tmp_path / folder / name
        path.parent.mkdir()
        path.write_text(text)
        prints.append(fingerprint(Source((path,), ChunkFormat.TEXT)))
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_fingerprint_and_stamp_see_a_change_in_a_late_block(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    path.write_bytes(b"a" * (20 << 20))
    source = Source((path,), ChunkFormat.TEXT)
    before = fingerprint(source), stamp(source)
    with path.open("r+b") as file:
        file.seek((17 << 20) + 5)
        file.write(b"b")
    assert fingerprint(source) != before[0]
    path.write_bytes(b"a")
    assert stamp(source) != before[1]


def test_rows_are_counted_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf{}\r\n\n  \n{}")
    (tmp_path / "a.csv").write_text('text,n\n"one\nrow",1\n\nplain,2')
    (tmp_path / "a.txt").write_text("\nx\n\ty\n \n")
    pq.write_table(pa.table({"text": ["a", "b", "c"]}), tmp_path / "a.parquet")
    (tmp_path / "b.txt").write_text("")
    expected = {"a.jsonl": 2, "a.csv": 2, "a.txt": 2, "a.parquet": 3, "b.txt": 0}
    counted = {
        name: count_rows(resolve_inputs(Input(path=name), tmp_path))
        for name in expected
    }
    assert counted == expected
