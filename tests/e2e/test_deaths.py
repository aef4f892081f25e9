"""Processes killed in the middle of a job: every row once, in order, all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.conftest import Orch, every_row_once_in_order, read_head, results

pytestmark = pytest.mark.ray


def some_rows(view: dict[str, Any]) -> bool:
    running: bool = view["state"] == "RUNNING"
    return running and view["progress"]["rows_done"] >= 60


def all_ready(view: dict[str, Any]) -> bool:
    ready = all(replica["state"] == "ready" for replica in view["replicas"])
    return ready and some_rows(view)


def test_an_engine_then_the_runner_are_killed(orch: Orch) -> None:
    job = orch.start(orch.write_slow_job("deaths", 2000))
    view = orch.until(job, all_ready)
    engine = view["replicas"][0]["pid"]
    os.kill(engine, signal.SIGKILL)
    view = orch.until(
        job, lambda v: v["replicas"][0]["pid"] not in (0, engine) and all_ready(v)
    )
    assert any("SIGKILL" in notice for notice in view["notices"])
    runner = view["runner"]["pid"]
    os.kill(runner, signal.SIGKILL)
    orch.until(job, lambda v: v["runner"]["pid"] not in (0, runner))
    view = orch.finish(job)
    assert view["state"] == "SUCCEEDED"
    assert any("runner was lost" in notice for notice in view["notices"])
    every_row_once_in_order(view, 2000)


def test_the_controller_is_killed(orch: Orch) -> None:
    job = orch.start(orch.write_slow_job("controller", 1600))
    orch.until(job, all_ready)
    pid = json.loads((orch.state / "controller.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    view = orch.finish(job)
    assert view["state"] == "SUCCEEDED"
    assert any("controller restarted" in notice for notice in view["notices"])
    every_row_once_in_order(view, 1600)


def test_a_cancelled_job_keeps_its_rows_and_goes_on_where_it_was(orch: Orch) -> None:
    path = orch.write_slow_job("resume", 1200)
    job = orch.start(path)
    orch.until(job, some_rows)
    orch.run("cancel", str(job))
    orch.run("wait", str(job), check=7)
    done = orch.job(job)["progress"]["rows_done"]
    rows = path.parent / "rows.jsonl"
    lines = rows.read_text().splitlines()
    rows.write_text("\n".join(reversed(lines)))
    view = orch.finish(orch.start(path))
    assert view["state"] == "SUCCEEDED"
    assert view["progress"]["rows_reused"] >= done - 1
    assert [row["id"] for row in results(view)] == [
        f"r{n}" for n in range(1199, -1, -1)
    ]


def test_a_second_node_takes_its_share_and_may_go(orch: Orch, tmp_path: Path) -> None:
    head = read_head(orch)
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "orchestrator.runtime.worker_start"),
            *("--address", head["address"], "--folder", str(tmp_path)),
            *("--node-ip", head["address"].rsplit(":", 1)[0]),
        ],
        stdin=subprocess.PIPE,
    )
    worker.communicate((orch.state / "ray_token").read_bytes(), timeout=90)
    assert worker.returncode == 0
    second = json.loads((tmp_path / "worker.json").read_text())["pid"]
    try:
        job = orch.start(orch.write_slow_job("nodes", 4000))
        view = orch.until(job, all_ready)
        nodes = {replica["gpu"].split(":")[0] for replica in view["replicas"]}
        assert len(view["replicas"]) == 4
        assert len(nodes) == 2
    finally:
        kill_family(second)
    view = orch.finish(job)
    assert view["state"] == "SUCCEEDED"
    lost = [r for r in view["replicas"] if r["state"] == "lost"]
    assert len(lost) == 2
    every_row_once_in_order(view, 4000)


def kill_family(pid: int) -> None:
    """SIGKILL a node's Ray and all it has started: a machine that is gone."""
    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
