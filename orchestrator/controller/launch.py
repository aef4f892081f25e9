"""The program that makes the controller's actor in a Ray that runs already.

`python -m orchestrator.controller.launch --state-dir DIR --address HOST:PORT`, with
Ray's token in the environment.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from orchestrator.controller.actor import Controller
from orchestrator.controller.programs import guarded
from orchestrator.runtime.host import connect, start_controller


def main() -> None:
    """Connect, start the controller or find it; exits 0 when it answers."""
    parser = argparse.ArgumentParser(prog="orchestrator.controller.launch")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--address", required=True)
    arguments = parser.parse_args()
    sys.exit(guarded(lambda: launch(arguments.state_dir, arguments.address)))


def launch(state: Path, address: str) -> None:
    """Bring the controller up.

    Raises:
        OrchError: E302, Ray does not answer, or the controller does not come up.
    """
    connect(address)
    start_controller(Controller, state)


if __name__ == "__main__":
    main()
