from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.spec.job import Job
from orchestrator.spec.reader import read_document
from orchestrator.spec.schema import job_schema
from orchestrator.spec.source import Source
from tests.spec.sample import GOOD

jsonschema = pytest.importorskip("jsonschema")

BASE: dict[str, Any] = {
    "version": 1,
    "kind": "batch",
    "model": {"id": "a/b"},
    "input": {"path": "x"},
}


def test_it_is_a_schema_and_the_good_job_fits_it() -> None:
    schema = json.loads(json.dumps(job_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    data = read_document(Source.of("j", GOOD), GOOD).data
    assert isinstance(data, dict)
    # An editor reads `on` as a boolean, as YAML 1.1 does.
    data["params"]["truncate"] = True
    jsonschema.validate(data, schema)


@pytest.mark.parametrize(
    "change",
    [
        {"resources": {"gpus": value}}
        for value in ("auto", "all", 1, 8, "1..2", 0, "1..", "some", True, 1.5, [1])
    ]
    + [
        {"resources": {"gpu_memory": value}}
        for value in ("auto", "20GiB", "20 GB", "20G", "1.5T", "512B", 20, "20", "big")
    ]
    + [{"keep_alive": value} for value in ("90s", "1h30m", "1.8 s", 0, 5, "", "90")]
    + [{"batch": {"max_failed": value}} for value in (0, 10, "1%", "0.5%", "1", -1)]
    + [{"batch": {"in_flight": value}} for value in (2, 16, 1, 17, "x")]
    + [{"output": {"format": value}} for value in ("jsonl", "parquet", "csv")]
    + [{"name": "a.b"}, {"name": "-a"}, {"nam": "x"}, {"version": 2}],
    ids=str,
)
def test_the_schema_and_the_program_agree(change: dict[str, Any]) -> None:
    job = {**BASE, **change}
    try:
        Job.model_validate(job)
    except ValidationError:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(job, job_schema())
    else:
        jsonschema.validate(job, job_schema())
