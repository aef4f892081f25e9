"""The program that plans without a controller: this machine, or a described cluster.

`python -m orchestrator.controller.plan --state-dir DIR`: the body of POST /v1/plan on
stdin, its answer on stdout. The body's `cluster` is a described one, as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.demands import plan_for
from orchestrator.controller.programs import guarded
from orchestrator.controller.refusals import no_plan
from orchestrator.controller.requests import Request
from orchestrator.controller.snapshots import Snapshots
from orchestrator.controller.store import Store
from orchestrator.runtime.devices import read_devices
from orchestrator.scheduling.described_cluster import described_snapshot
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.scheduling.what_if import unused
from orchestrator.spec.cluster import DescribedCluster


def main() -> None:
    """Answer one plan request."""
    parser = argparse.ArgumentParser(prog="orchestrator.controller.plan")
    parser.add_argument("--state-dir", type=Path, required=True)
    arguments = parser.parse_args()
    sys.exit(guarded(lambda: plan(arguments.state_dir)))


def plan(state: Path) -> None:
    """Plan with nothing promised, and with peaks of earlier runs if there are any."""
    body = json.loads(sys.stdin.read())
    request = Request.of(body)
    # A command's files would be looked for there, and a command has no plan.
    with tempfile.TemporaryDirectory() as nowhere:
        work = request.work(Snapshots(Path(nowhere)), 0 if request.tasks else -1)
    if not isinstance(work, BatchWork):
        raise no_plan()
    files = work.check()
    known = state / "orch.db"
    store = Store(known) if known.exists() else None
    answer = plan_for(store, work, files, _snapshot(body))
    kind = "plan" if isinstance(answer, Plan) else "diagnosis"
    sys.stdout.write(json.dumps({kind: answer.to_json()}) + "\n")


def _snapshot(body: Mapping[str, Any]) -> Snapshot:
    if body.get("cluster"):
        described = DescribedCluster.model_validate(body["cluster"])
        snapshot = described_snapshot(described)
    else:
        snapshot = Snapshot(tuple(read_devices("local", "local")))
    return unused(snapshot) if body.get("assume_idle") else snapshot


if __name__ == "__main__":
    main()
