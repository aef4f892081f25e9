"""A good job file for the tests to spoil, and how they read what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.errors import Fault, OrchError
from orchestrator.spec.load import LoadedJob, load_job_text

GOOD = """\
# Every section, every kind of value.
version: 1
kind: batch
name: embed
model:
  id: org/name
  dtype: auto
  args: {a: 1, b: [x, "y"], c: {d: 1e-4}}
resources:
  gpus: "1..2"
  gpu_memory: 20GiB   # per GPU
  exclude: ["node:0"]
input:
  path: data.jsonl
  format: jsonl
  fields: [text]
params: {max_length: 128, truncate: on}
batch:
  in_flight: 3
  max_failed: 1%
output:
  path: ./out/{id}
  on_exists: resume
keep_alive: 2m
"""


def good_folder(folder: Path) -> Path:
    """The folder, with the files that the good job names."""
    (folder / "data.jsonl").write_text('{"text": "one"}\n')
    return folder


def load(text: str, folder: Path, *overrides: str) -> LoadedJob:
    return load_job_text(text, "j.yaml", folder=folder, overrides=overrides)


def faults(text: str, folder: Path, overrides: Sequence[str] = ()) -> list[Fault]:
    """The faults of a text that must have some."""
    with pytest.raises(OrchError) as caught:
        load(text, folder, *overrides)
    return list(caught.value.faults)


def spoiled(old: str, new: str) -> str:
    """The good job with one piece replaced."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)
