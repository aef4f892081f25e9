"""A hundred thousand jobs that wait: how long it takes to take over, and how much."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import cast

from orchestrator.controller.core import Core
from orchestrator.controller.performer import Performer
from orchestrator.controller.recovery import recover
from orchestrator.controller.store import NewJob, NewTask, Store
from orchestrator.runtime.cluster import Cluster
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fake_world import World

MANY = 100_000
NOW = "2026-01-01T00:00:00.000+00:00"


def test_a_hundred_thousand_jobs_are_taken_over(tmp_path: Path) -> None:
    store = Store(tmp_path / "orch.db")
    needs = {"pool": "cpu", "cpus": 1.0, "memory": 0, "queue_s": None}
    new = NewJob(
        "command",
        "many",
        {"spec": {}},
        "/out/{id}",
        NOW,
        needs=needs,
        tasks=tuple(NewTask("many", "/out/{id}") for _ in range(MANY // 2)),
    )
    for _ in range(2):
        store.accept(new)
    cluster = cast(Cluster, FakeCluster(World()))
    core = Core(store, cluster, tmp_path)
    perform = Performer(core, lambda: None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    recover(core, perform)
    took_s = time.process_time() - began
    held_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(core.queue) == MANY
    assert not core.jobs
    assert took_s < 2
    assert held_mib < 150
    core.loop.stop()
    store.close()
