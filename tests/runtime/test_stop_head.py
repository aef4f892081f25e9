"""The end of a real head of Ray, after all other tests of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import ray

from orchestrator.runtime.head import Head, read_head
from tests.runtime.ray_heads import connected, family

pytestmark = pytest.mark.ray


def start_a_detached_actor() -> int:
    class Idle:
        @ray.method
        def pid(self) -> int:
            return psutil.Process().pid

    actor = ray.remote(num_cpus=0)(Idle).options(lifetime="detached").remote()
    pid: int = ray.get(actor.pid.remote())
    return pid


def test_stop_ends_its_family_and_nobody_else(head: Head, state: Path) -> None:
    with connected(head, state) as driver:
        actor = driver.submit(start_a_detached_actor).result(60)
    members = family(head)
    assert actor in [member.pid for member in members]
    # It looks like a Ray of somebody else's.
    stranger = [sys.executable, "-c", "input()", "raylet", "--head"]
    with subprocess.Popen(stranger, stdin=subprocess.PIPE) as other:
        head.stop()
        assert other.poll() is None
        assert not any(member.is_running() for member in members)
        other.kill()
    assert not head.alive()
    assert read_head(state) is None
