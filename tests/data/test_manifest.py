from __future__ import annotations

from pathlib import Path

from orchestrator.data.manifest import read_manifest, write_manifest
from tests.data.runs import manifest_of


def test_a_manifest_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    manifest = manifest_of(3, 1, 2)
    write_manifest(tmp_path, manifest)
    again = read_manifest(tmp_path)
    assert again is not None
    assert again.rows_reused == 2
    assert again.input_files == manifest.input_files
    assert again.identity == {"model": "test", "fields": ["text"]}
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_what_is_no_manifest_is_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    for text in ("{", "[]", '{"job_id": 1}'):
        (tmp_path / "manifest.json").write_text(text)
        assert read_manifest(tmp_path) is None
