"""The rows of jobs/embed.yaml: enough of them, clean, each once."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from orchestrator.spec.job import BatchJob

JOBS = Path(__file__).resolve().parents[2] / "jobs"
LARGEST_BYTES = 1_200_000


def test_the_demo_has_enough_clean_rows() -> None:
    job = BatchJob.model_validate(yaml.safe_load((JOBS / "embed.yaml").read_text()))
    path = JOBS / job.input.path
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts = [row[job.input.text] for row in rows]

    assert len(rows) >= 2_000
    assert path.stat().st_size < LARGEST_BYTES
    assert len({row["id"] for row in rows}) == len(set(texts)) == len(rows)
    assert not [text for text in texts if set(text) & set("{}[]<>\n\t\u00ad\ufffd")]


def test_the_readme_says_how_many_rows_and_on_what_terms() -> None:
    count = len((JOBS / "data" / "definitions.jsonl").read_text().splitlines())
    readme = (JOBS / "data" / "README.md").read_text()

    assert f"{count:,}" in readme
    assert "public domain" in readme
