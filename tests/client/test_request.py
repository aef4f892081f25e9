from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.client.request import Extras, job_request
from orchestrator.spec.checked import CheckedJob, checked
from orchestrator.spec.job import Job, validate_job
from orchestrator.spec.loaded import LoadedJob

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
    body = job_request(_checked(job, tmp_path))
    assert validate_job(json.loads(json.dumps(body))["spec"]) == job


def test_the_output_is_seen_from_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    document = {"version": 1, "kind": "batch", "model": MODEL}
    job = validate_job({**document, "input": {"path": "a.jsonl"}})
    body = job_request(_checked(job, tmp_path / "jobs"))
    assert body["spec"]["output"]["path"] == str(tmp_path / "out" / "{id}")


def test_only_a_module_of_ones_own_takes_code_along(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    codes = []
    for model in (MODEL, ENTRY):
        document = {"version": 1, "kind": "batch", "model": model}
        job = validate_job({**document, "input": {"path": "a.jsonl"}})
        body = job_request(_checked(job, tmp_path))
        assert body["source"] == {
            "path": "a.yaml",
            "folder": str(tmp_path),
            "text": "t",
        }
        codes.append(list(body["code"]))
    assert codes == [[], ["mine.py"]]


def test_the_code_is_that_of_the_workdir(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "other.py").write_text("")
    (tmp_path / "src" / "mine.py").write_text("")
    document = {"version": 1, "kind": "batch", "model": ENTRY, "workdir": "src"}
    job = validate_job({**document, "input": {"path": "a.jsonl"}})
    body = job_request(_checked(job, tmp_path))
    assert list(body["code"]) == ["mine.py"]
    assert body["source"]["folder"] == str(tmp_path), "where input paths start"


def _checked(job: Job, folder: Path) -> CheckedJob:
    return checked(LoadedJob(job, "t", Path("a.yaml"), folder))


@pytest.mark.parametrize(("wait_s", "limit"), [(None, 7200.0), (0, 7200.0), (90, 90.0)])
def test_the_wait_for_a_place_is_the_limit_of_the_queue(
    tmp_path: Path, wait_s: float | None, limit: float
) -> None:
    command = {"version": 1, "kind": "command", "run": "true"}
    job = validate_job({**command, "timeout": {"queue": "2h"}})
    body = job_request(_checked(job, tmp_path), Extras(wait_start_s=wait_s))
    assert validate_job(body["spec"]).timeout.queue == limit
