"""A job file that the controller checks is what it is when it is checked here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.client.check import check_quickly
from orchestrator.client.client import Client
from orchestrator.spec.checked import checked
from orchestrator.spec.load import load_jobs
from tests.client.fake_controller import FakeController

COMMAND = "version: 1\nkind: command\nrun: 'true'\nenv: {A: b, HOME: }\n"
BATCH = """version: 1
kind: batch
model: {entry: "mine:Model"}
input: {path: rows.jsonl}
"""


@pytest.mark.parametrize("text", [COMMAND, BATCH, f"{COMMAND}---\n{COMMAND}"])
def test_it_is_the_same_job(
    controller: FakeController, tmp_path: Path, text: str
) -> None:
    (tmp_path / "mine.py").write_text("class Model: ...\n")
    (tmp_path / "rows.jsonl").write_text("{}\n")
    path = tmp_path / "job.yaml"
    path.write_text(text)
    changes = ("priority=3",)
    with Client.connect(tmp_path / "state") as client:
        found = check_quickly(client, path, changes)
    assert found == tuple(map(checked, load_jobs(path, changes)))
    assert ("POST", "/v1/check") in [asked[:2] for asked in controller.requests]


@pytest.mark.parametrize("text", ["version: 1", "", "\x00", None])
def test_what_is_refused_is_left_to_the_caller(
    controller: FakeController, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "job.yaml"
    if text is not None:
        path.write_text(text)
    with Client.connect(tmp_path / "state") as client:
        assert check_quickly(client, path, ()) == ()
    assert controller.jobs == {}


def test_a_relative_path_stays_as_it_was_written(
    controller: FakeController, tmp_path: Path
) -> None:
    (tmp_path / "job.yaml").write_text(COMMAND)
    path = Path(os.path.relpath(tmp_path / "job.yaml"))
    with Client.connect(tmp_path / "state") as client:
        (job,) = check_quickly(client, path, ())
    assert (job.path, job.folder) == (path, path.parent)
    assert controller.jobs == {}
