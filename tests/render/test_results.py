from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.client.views import JobView
from orchestrator.render.results import results_lines
from tests.client import documents


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_what_is_there_is_named_with_its_content(out: Path) -> None:
    (out / "results.jsonl").write_bytes(b"x" * (1 << 20))
    failures = [
        {"row": n, "code": code} for n, code in enumerate(["E401"] * 2 + ["E203"])
    ]
    (out / "failed.jsonl").write_text("".join(json.dumps(f) + "\n" for f in failures))
    facts = {"model": "m", "revision": None, "seed": 0, "versions": {"orch": "0.1.0"}}
    (out / "manifest.json").write_text(json.dumps(facts))
    document = documents.job(
        state="SUCCEEDED",
        output=str(out),
        results=str(out / "results.jsonl"),
        progress={"rows_done": 12000, "rows_failed": 3},
    )
    assert results_lines(JobView.from_json(document)) == [
        "STATUS    11,997 ok, 3 failed rows",
        "FILE      ./out/results.jsonl   (1 MiB)",
        "FAILED    ./out/failed.jsonl   2 of E401, 1 of E203",
        "MANIFEST  ./out/manifest.json   model m, orch 0.1.0, seed 0",
    ]


def test_a_job_without_results_says_so(out: Path) -> None:
    job = JobView.from_json(documents.job(state="CANCELLED", output=str(out)))
    assert results_lines(job) == [
        "STATUS  4,208 ok, 2 failed rows, 7,790 not run   (job CANCELLED; partial)",
        "FILE    -   (not merged yet; rows so far: --partial)",
    ]
