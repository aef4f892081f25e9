"""The writer is killed at any moment: what it told is there, nothing is half."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.controller.store import Store
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import check_whole

RUNS = 24


def killed_in_a_write(path: Path, seed: int) -> list[dict[str, Any]]:
    """It kills itself in the midst of a statement."""
    # Few steps die in the first write; many let the log be written back in between.
    steps = int(10 ** random.Random(seed).uniform(2.5, 5))
    done = subprocess.run(_command(path, seed, steps), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def killed_from_outside(path: Path, seed: int) -> list[dict[str, Any]]:
    """It is killed wherever it is after so many words."""
    words = random.Random(seed).randrange(1, 60)
    with subprocess.Popen(_command(path, seed, 0), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(words)]
        child.kill()
        lines += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    # The pipe may be cut within the last word.
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def _command(path: Path, seed: int, steps: int) -> list[str]:
    program = "tests.controller.store_writer"
    return [sys.executable, "-m", program, str(path), str(seed), str(steps)]


@pytest.mark.parametrize("kill", [killed_in_a_write, killed_from_outside])
def test_what_was_told_is_there_and_nothing_is_half(
    kill: Callable[[Path, int], list[dict[str, Any]]], tmp_path: Path
) -> None:
    path = tmp_path / "orch.db"
    accepted: dict[int, int] = {}
    ended: dict[int, int] = {}
    for seed in range(RUNS // 2):
        words = kill(path, seed)
        new = {word["id"]: word["tasks"] for word in words if "id" in word}
        assert not accepted.keys() & new.keys(), "a number was given out twice"
        assert min(new, default=1 << 60) > max(accepted, default=0)
        accepted.update(new)
        ended.update({w["ended"]: w["tasks"] for w in words if "ended" in w})
        check_whole(path)
        with closing(Store(path)) as store:
            check_jobs(store, accepted, ended)
    assert len(accepted) > RUNS, "the writer got somewhere"


def check_jobs(store: Store, accepted: dict[int, int], ended: dict[int, int]) -> None:
    """Each job is wholly accepted and wholly ended, or not at all."""
    rows = {row.id: row for row in store.jobs(limit=-1)}
    assert accepted.keys() <= rows.keys()
    for number, row in rows.items():
        key = JobKey(number)
        over = row.state is State.CANCELLED
        story = [event.event["event"] for event in store.events(key)]
        assert row.view == {"n": number}
        assert store.request(number) == {"of": "a"}
        assert row.tasks == accepted.get(number, row.tasks)
        assert story == (["accepted", "ended"] if over else ["accepted"])
        assert store.secrets(key) == ({} if over else {"S": "x"})
        state = State.CANCELLED if over else State.PENDING
        assert store.task_counts(number) == ({state: row.tasks} if row.tasks else {})
    for number, tasks in ended.items():
        assert (rows[number].state, rows[number].tasks) == (State.CANCELLED, tasks)
