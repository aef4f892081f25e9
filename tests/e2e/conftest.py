"""One real cluster for these tests: Ray, controller, CPU devices, real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.client.client import Client

SLOW_MODULE = '''
import time
import torch

class Slow(torch.nn.Module):
    """Doubles its input at a set pace, so that a test can act in the middle."""
    def __init__(self, rows_per_second: float = 200.0):
        super().__init__()
        self.pace = rows_per_second

    def forward(self, x):
        time.sleep(len(x) / self.pace)
        return x * 2
'''


@dataclass(frozen=True)
class Orch:
    """The command line, with a state folder of its own."""

    state: Path
    folder: Path

    def run(
        self, *words: str, check: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, done.stdout + done.stderr
        return done

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "ORCH_STATE_DIR": str(self.state)}

    def start(self, job: Path, *words: str) -> int:
        """Submit without waiting; the job's number."""
        return int(self.run("submit", str(job), "--detach", "-q", *words).stdout)

    def job(self, job: int) -> dict[str, Any]:
        with closing(Client.connect(self.state)) as client:
            return client.job(job).document

    def until(
        self, job: int, ready: Callable[[dict[str, Any]], bool], timeout_s: float = 90
    ) -> dict[str, Any]:
        """The job's view as soon as `ready` says so."""
        deadline = time.monotonic() + timeout_s
        with closing(Client.connect(self.state)) as client:
            view = client.job(job)
            while not ready(view.document):
                assert not view.state.final, view.document
                assert time.monotonic() < deadline, view.document
                view = client.job(job, after=view.version, wait_s=1.0)
            return view.document

    def finish(self, job: int) -> dict[str, Any]:
        self.run("wait", str(job), "-q")
        return self.job(job)

    def write_slow_job(
        self, name: str, rows: int, *, pace: float = 200.0, extra: str = ""
    ) -> Path:
        """A job of `rows` rows that each replica takes at `pace` rows a second."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "slow.py").write_text(SLOW_MODULE)
        lines = (json.dumps({"id": f"r{n}", "x": [float(n)]}) for n in range(rows))
        (folder / "rows.jsonl").write_text("\n".join(lines))
        job = folder / "job.yaml"
        job.write_text(
            "version: 1\nkind: batch\n"
            f"name: {name}\n"
            "model: {entry: 'slow:Slow', args: {rows_per_second: %s}}\n"
            % pace
            + "input: {path: rows.jsonl, id_field: id, fields: [x]}\n"
            f"output: {{path: {folder / 'out'}}}\n" + extra
        )
        return job


@pytest.fixture(scope="session")
def orch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orch]:
    folder = tmp_path_factory.mktemp("e2e")
    cluster = Orch(folder / "state", folder)
    cluster.run("up", "-q")
    before = psutil.Process(read_head(cluster)["pid"])
    family = [before, *before.children(recursive=True)]
    yield cluster
    cluster.run("down")
    _gone, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, f"still running after `orch down`: {alive}"


def read_head(orch: Orch) -> dict[str, Any]:
    head: dict[str, Any] = json.loads((orch.state / "head.json").read_text())
    return head


def results(view: dict[str, Any]) -> list[dict[str, Any]]:
    return lines_of(Path(view["results"]))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def every_row_once_in_order(view: dict[str, Any], rows: int) -> None:
    found = results(view)
    assert [row["row"] for row in found] == list(range(rows))
    assert [row["id"] for row in found] == [f"r{n}" for n in range(rows)]
    assert [row["output"] for row in found] == [[2.0 * n] for n in range(rows)]
