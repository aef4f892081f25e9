"""The program that plans for this machine alone, where no controller runs.

`python -m orchestrator.controller.plan --state-dir DIR`: the body of POST /v1/plan on
stdin, its answer on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.demands import plan_for
from orchestrator.controller.programs import guarded
from orchestrator.controller.refusals import no_plan
from orchestrator.controller.requests import Request
from orchestrator.controller.snapshots import Snapshots
from orchestrator.controller.store import Store
from orchestrator.runtime.devices import read_devices
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.snapshot import Snapshot


def main() -> None:
    """Answer one plan request from this machine's GPUs as they are now."""
    parser = argparse.ArgumentParser(prog="orchestrator.controller.plan")
    parser.add_argument("--state-dir", type=Path, required=True)
    arguments = parser.parse_args()
    sys.exit(guarded(lambda: plan(arguments.state_dir)))


def plan(state: Path) -> None:
    """Plan with nothing promised, and with peaks of earlier runs if there are any."""
    request = Request.of(json.loads(sys.stdin.read()))
    work = request.work(Snapshots(state / "snapshots"), 0 if request.tasks else -1)
    if not isinstance(work, BatchWork):
        raise no_plan()
    files = work.check()
    snapshot = Snapshot(tuple(read_devices("local", "local")))
    known = state / "orch.db"
    store = Store(known) if known.exists() else None
    answer = plan_for(store, work, files, snapshot)
    kind = "plan" if isinstance(answer, Plan) else "diagnosis"
    sys.stdout.write(json.dumps({kind: answer.to_json()}) + "\n")


if __name__ == "__main__":
    main()
