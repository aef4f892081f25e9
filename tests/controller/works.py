"""Batch jobs as work, and their plans, without a controller."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.requests import Request
from orchestrator.controller.snapshots import Snapshots
from orchestrator.estimate.known import Known
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Snapshot
from tests.controller.plant import MINILM, request_for
from tests.scheduling.described import snapshot_of

GPUS = snapshot_of("local: 24 | 24")
UNKNOWN = Known()
CPUS = snapshot_of("local: cpu 16 | cpu 16")


def work_for(folder: Path, **sections: Any) -> BatchWork:  # noqa: ANN401
    """The work, after a journey over HTTP."""
    request = Request.of(json.loads(json.dumps(request_for(folder, **sections))))
    work = request.work(Snapshots(folder / "snapshots"))
    assert isinstance(work, BatchWork)
    return work


def minilm(folder: Path, **sections: Any) -> BatchWork:  # noqa: ANN401
    return work_for(folder, **{"model": {"id": MINILM}, "resources": {}, **sections})


def planned(work: BatchWork, snapshot: Snapshot, known: Known = UNKNOWN) -> Plan:
    plan = schedule(work.demand(snapshot, work.look(), known), snapshot)
    assert isinstance(plan, Plan)
    return plan
