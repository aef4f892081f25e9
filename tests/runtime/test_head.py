"""A real head of Ray; its end is in test_stop_head.py."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
import ray

from orchestrator.runtime.head import TOKEN_FILE, WORKER_FILE, Head, read_head
from tests.runtime.ray_heads import connected, family

pytestmark = pytest.mark.ray


def alive_nodes() -> int:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return sum(node["Alive"] for node in nodes)


def test_it_runs_and_is_found_from_its_folder(head: Head, state: Path) -> None:
    assert psutil.pid_exists(head.pid)
    assert head.alive()
    assert read_head(state) == head


def test_its_token_is_the_owners_alone(head: Head, state: Path) -> None:
    assert head.alive()
    assert stat.S_IMODE((state / TOKEN_FILE).stat().st_mode) == 0o600


def test_its_dashboard_answers_those_who_have_the_token(
    head: Head, state: Path
) -> None:
    url = f"{head.dashboard}/api/version"
    token = (state / TOKEN_FILE).read_text().strip()
    known = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert known.json()["ray_version"] == ray.__version__
    assert httpx.get(url, timeout=30).status_code == 401


def worker_program(name: str, *arguments: str, token: str = "") -> None:
    command = [sys.executable, "-m", f"orchestrator.runtime.{name}", *arguments]
    subprocess.run(command, input=token, text=True, check=True, timeout=60)


def test_a_worker_joins_and_leaves(head: Head, state: Path, tmp_path: Path) -> None:
    token = (state / TOKEN_FILE).read_text()
    place = ["--folder", str(tmp_path)]
    worker_program(
        "worker_start",
        *("--address", head.address, "--node-ip", "127.0.0.1", *place),
        token=token,
    )
    assert stat.S_IMODE((tmp_path / "worker_token").stat().st_mode) == 0o600
    worker = read_head(tmp_path, WORKER_FILE)
    assert worker is not None
    members = family(worker)
    with connected(head, state) as driver:
        assert driver.submit(alive_nodes).result() == 2
    worker_program("worker_stop", *place)
    assert not any(member.is_running() for member in members)
    assert head.alive()
