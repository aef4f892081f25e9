"""The program that plans for this machine alone, where no controller runs.

`python -m orchestrator.controller.plan --state-dir DIR`: the body of POST /v1/plan on
stdin, its answer on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from orchestrator.controller.placer import plan_for
from orchestrator.controller.programs import guarded
from orchestrator.controller.store import Store
from orchestrator.controller.work import Work
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
    work = Work.from_request(json.loads(sys.stdin.read()))
    work.check()
    snapshot = Snapshot(tuple(read_devices("local", "local")))
    known = state / "orch.db"
    store = Store(known) if known.exists() else None
    answer = plan_for(store, work, snapshot)
    kind = "plan" if isinstance(answer, Plan) else "diagnosis"
    sys.stdout.write(json.dumps({kind: answer.to_json()}) + "\n")


if __name__ == "__main__":
    main()
