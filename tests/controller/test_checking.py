"""Job files that are checked over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.controller.plant import Plant

TWO = """version: 1
kind: command
name: second
run: "true"
after: [first]
---
version: 1
kind: command
name: first
run: [echo, "{index}"]
array: 0-3
"""
WRONG: list[dict[str, Any]] = [
    {},
    {"text": 1},
    {"overrides": None},
    {"overrides": [1]},
    {"name": None},
    {"folder": "a\0b"},
    {"folder": "\ud800"},
    {"text": "\ud800"},
    {"text": ""},
    {"text": "version: 1"},
    {"overrides": ["nothing=1"]},
]


def test_the_jobs_of_a_file_come_in_their_order(two: Plant) -> None:
    body = {"text": TWO, "name": "jobs.yaml", "folder": "/", "overrides": ["grace=9s"]}
    jobs = two.client.post("/v1/check", json=body).json()["jobs"]
    assert [job["name"] for job in jobs] == ["first", "second"]
    assert jobs[0]["array"]["range"]
    assert [job["grace"] for job in jobs] == ["9s", "9s"]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_wrong_gets_a_clean_error(two: Plant, wrong: dict[str, Any]) -> None:
    good = {"text": "x: 1", "name": "a.yaml", "folder": "/", "overrides": []}
    body = {**good, **wrong} if wrong else {}
    answer = two.client.post("/v1/check", content=json.dumps(body))
    assert answer.status_code == 400
    codes = [fault["code"] for fault in answer.json()["error"]["faults"]]
    assert codes
    assert "E900" not in codes
