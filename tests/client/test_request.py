from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.client.request import job_request
from orchestrator.spec.job import validate_job

MODEL = {"id": "x"}
ENTRY = {"entry": "mine:Model", "args": {"width": 3}}


@pytest.mark.parametrize("model", [MODEL, ENTRY])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"resources": {"gpu_memory": "20GiB", "gpus": "1..2"}},
        {"keep_alive": "1h30m", "batch": {"max_failed": "1%"}},
    ],
)
def test_a_job_is_the_same_after_the_journey(
    tmp_path: Path, model: dict[str, object], more: dict[str, object]
) -> None:
    document = {"version": 1, "kind": "batch", "model": model, **more}
    document["output"] = {"path": "/results/{id}"}
    job = validate_job({**document, "input": {"path": "a.jsonl"}})
    body = job_request(job, path="a.yaml", folder=tmp_path, text="")
    assert validate_job(json.loads(json.dumps(body))["spec"]) == job


def test_the_output_is_seen_from_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = {"version": 1, "kind": "batch", "model": MODEL}
    job = validate_job({**document, "input": {"path": "a.jsonl"}})
    body = job_request(job, path="jobs/a.yaml", folder=tmp_path / "jobs", text="")
    assert body["spec"]["output"]["path"] == str(tmp_path / "out" / "{id}")


def test_only_a_module_of_ones_own_takes_code_along(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    codes = []
    for model in (MODEL, ENTRY):
        document = {"version": 1, "kind": "batch", "model": model}
        job = validate_job({**document, "input": {"path": "a.jsonl"}})
        body = job_request(job, path="a.yaml", folder=tmp_path, text="t")
        assert body["source"] == {
            "path": "a.yaml",
            "folder": str(tmp_path),
            "text": "t",
        }
        codes.append(list(body["code"]))
    assert codes == [[], ["mine.py"]]
