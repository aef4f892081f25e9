"""A good job file for the tests to spoil, and how they read what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.errors import Fault, OrchError
from orchestrator.spec.job import BatchJob
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
COMMAND = """\
version: 1
kind: command
name: sweep
resources:
  gpus: 0
  cpus: 2.5
  memory: 4GiB
priority: -5
after: [41, "40:any", {job: prepare, when: fail}]
timeout: {queue: 2h, run: 1h30m}
retry:
  max: 3
  on: [error]
  exit_codes: [33]
  backoff: 1s..1m
grace: 10s
env: {HF_TOKEN: null, SEED: '0'}
secrets: [HF_TOKEN]
workdir: code
array:
  matrix:
    lr: [1e-4, 3e-4]
    bs: [32, 64]
  max_parallel: 2
output:
  path: ./out/{id}
run: |
  python train.py --lr {matrix.lr}
"""


def good_folder(folder: Path) -> Path:
    """The folder, with the files that the good job names."""
    (folder / "data.jsonl").write_text('{"text": "one"}\n')
    return folder


def command_folder(folder: Path) -> Path:
    """The folder, with the files that the command names."""
    (folder / "code").mkdir()
    (folder / "f").touch()
    return folder


def load(text: str, folder: Path, *overrides: str) -> LoadedJob:
    return load_job_text(text, "j.yaml", folder=folder, overrides=overrides)


def load_batch(text: str, folder: Path, *overrides: str) -> BatchJob:
    """The job of a text that must be a batch."""
    job = load(text, folder, *overrides).job
    assert isinstance(job, BatchJob)
    return job


def faults(text: str, folder: Path, overrides: Sequence[str] = ()) -> list[Fault]:
    """The faults of a text that must have some."""
    with pytest.raises(OrchError) as caught:
        load(text, folder, *overrides)
    return list(caught.value.faults)


def spoiled(old: str, new: str) -> str:
    """The good job with one piece replaced."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)
