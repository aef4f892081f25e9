"""A replica through Ray: its log is the job's, and its engine's pid is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engines.base import EngineSpec
from orchestrator.runtime import log_files
from orchestrator.runtime.cluster import Cluster
from orchestrator.runtime.head import Head
from tests.engines.user_modules import spec_of
from tests.runtime.command_node import gone
from tests.runtime.ray_heads import connected

pytestmark = pytest.mark.ray

BODY = """
def __init__(self):
    super().__init__()
    print("made with s3cret")

def forward(self, x):
    return x
"""


def load_and_end(state: Path, spec: EngineSpec) -> tuple[int, int]:
    cluster = Cluster(state / "logs")
    gpu = cluster.gpus()[0]
    name = "orch:job-77:replica-0"
    lease = cluster.acquire(name, gpu)
    try:
        replica = cluster.start_replica(name, gpu, lease)
        cluster.begin_replica(replica, "jobs/77/attempt-1/rank-0.log", ("s3cret",))
        _, (_, pid) = cluster.load(replica, gpu.node_id, spec)
        return pid, cluster.end_replica(replica, 10)
    finally:
        cluster.release(lease)


def test_a_replica_writes_to_its_jobs_log(
    head: Head, state: Path, tmp_path: Path
) -> None:
    with connected(head, state) as child:
        spec = spec_of(BODY, tmp_path)
        loaded, ended = child.submit(load_and_end, state, spec).result(120)
    assert loaded == ended > 0
    assert gone([ended], 5)
    log = state / "jobs" / "77" / "attempt-1" / "rank-0.log"
    assert b"made with ***" in log_files.read_range(log, 0, 1000)
