"""The program that stops what `start` has started: by pid, nothing else on the host.

`python -m orchestrator.controller.stop --state-dir DIR`
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from orchestrator.controller.programs import guarded
from orchestrator.controller.workers import stop_workers
from orchestrator.runtime.head import read_head


def main() -> None:
    """Stop Ray and with it the controller; says on stdout what was stopped."""
    parser = argparse.ArgumentParser(prog="orchestrator.controller.stop")
    parser.add_argument("--state-dir", type=Path, required=True)
    arguments = parser.parse_args()
    sys.exit(guarded(lambda: stop(arguments.state_dir)))


def stop(state: Path) -> None:
    """End Ray's head and all that hangs on it; jobs go on at the next start."""
    head = read_head(state)
    if head is not None:
        stop_workers(state)
        head.stop()
        shutil.rmtree(head.temp, ignore_errors=True)
        sys.stdout.write(f"Ray at {head.address} and the controller\n")
    for name in ("head.json", "controller.json"):
        (state / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
