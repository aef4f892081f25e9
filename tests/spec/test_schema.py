from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.spec.job import KINDS, validate_job
from orchestrator.spec.reader import read_document
from orchestrator.spec.schema import job_schema
from orchestrator.spec.source import Source
from tests.spec.sample import GOOD

jsonschema = pytest.importorskip("jsonschema")

BATCH: dict[str, Any] = {
    "version": 1,
    "kind": "batch",
    "model": {"id": "a/b"},
    "input": {"path": "x"},
}
COMMAND: dict[str, Any] = {"version": 1, "kind": "command", "run": "true"}
VALIDATORS = {
    kind: jsonschema.Draft202012Validator(job_schema(kind)) for kind in (None, *KINDS)
}
VALUES: dict[str, list[Any]] = {
    "resources.gpus": ["auto", "all", 1, 8, "1..2", 0, "1..", "x", True, 1.5, [1]],
    "resources.gpu_memory": ["auto", "20GiB", "20 GB", "1.5T", "512B", 20, "20", "x"],
    "resources.cpus": [1, 0.5, None, 0, -1, "4", True],
    "resources.memory": ["auto", "2GiB", 2],
    "keep_alive": ["90s", "1h30m", "1.8 s", 0, 5, "", "90"],
    "batch.max_failed": [0, 10, "1%", "0.5%", "100%", "200%", "1", -1],
    "batch.in_flight": [2, 16, 1, 17, "x"],
    "params.max_length": [1, None, 0],
    "output.format": ["jsonl", "parquet", "csv"],
    "output.path": ["x", ""],
    "name": ["a.b", "-a", "a" * 64],
    "nam": ["x"],
    "version": [2],
    "kind": ["batch", "command", "serve", None],
    "after": [[1], ["a"], ["a:any"], ["a:no"], [0], 1, [1.5], [{"when": "ok"}]]
    + [[{"job": 1, "when": when}] for when in ("ok", "fail", "later")]
    + [[{"job": "x y"}]],
    "array": ["0-3", "0-3%2", "0-9:2%2", "3", "0-3%", {}, None],
    "array.range": ["0-3", "0-3:2", "a-b", 3],
    "array.matrix": [{"a": [1, "x", True]}, {"a": []}, {"-": [1]}, {"a": 1}, {}],
    "array.max_parallel": [1],
    "env": [{"A": "b"}, {"A": None}, {"A": 1}, {"A B": "c"}, []],
    "secrets": [["A"], ["1A"], "A"],
    "timeout.run": ["2h", None, 0, 5, ""],
    "retry.backoff": ["10s..5m", "10s", "..5m", "5", 5],
    "retry.exit_codes": [[1, 255], [0], [256], 1],
    "retry.on": [["error", "timeout"], ["oom"], "error"],
    "retry.max": [0, 100, 101, -1],
    "priority": [0, -100, 100, 101, "high"],
    "grace": [0, "30s", 30],
    "workdir": [".", None, "", 1],
    "run": ["true", " ", [], ["a", "b"], ["a", 1], None],
}


def test_it_is_a_schema_and_the_good_job_fits_it() -> None:
    schema = json.loads(json.dumps(job_schema("batch")))
    jsonschema.Draft202012Validator.check_schema(schema)
    data = read_document(Source.of("j", GOOD), GOOD).data
    assert isinstance(data, dict)
    # An editor reads `on` as a boolean, as YAML 1.1 does.
    data["params"]["truncate"] = True
    jsonschema.validate(data, schema)


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_its_defaults_are_as_one_would_write_them(kind: str | None) -> None:
    text = json.dumps(job_schema(kind))
    defaults = set(re.findall(r'"default": ("[^"]*"|[^,}]*)', text))
    assert {'"auto"', "false", "2"} & defaults
    assert not [default for default in defaults if re.match(r"\{|null|\d+\.", default)]


def test_it_says_what_a_field_means() -> None:
    fields = job_schema("command")["properties"]
    assert fields["grace"]["description"].startswith("Between the request to stop")
    assert "bash -euo pipefail" in fields["run"]["description"]


def is_good(job: dict[str, Any]) -> bool:
    try:
        validate_job(job)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in VALUES.items() for value in values],
    ids=str,
)
@pytest.mark.parametrize("base", [BATCH, COMMAND], ids=KINDS)
def test_the_schema_and_the_program_agree(
    base: dict[str, Any], field: str, value: object
) -> None:
    section, _, name = field.rpartition(".")
    job = {**base, section: {name: value}} if section else {**base, name: value}
    good = is_good(job)
    assert VALIDATORS[None].is_valid(job) == good
    if field != "kind":
        assert VALIDATORS[base["kind"]].is_valid(job) == good
