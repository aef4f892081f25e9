"""The program that brings Ray and the controller up on this machine.

`python -m orchestrator.controller.start --state-dir DIR`: says what it does on stderr;
on failure its last line on stdout is JSON with the faults.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from orchestrator.controller.actor import Controller
from orchestrator.controller.clusterfile import ClusterFile, read_cluster_file
from orchestrator.controller.programs import guarded, say
from orchestrator.controller.workers import start_workers
from orchestrator.runtime.head import read_head, start_head
from orchestrator.runtime.host import connect, start_controller


def main() -> None:
    """Start what is not running yet; exits 0 when the controller answers."""
    parser = argparse.ArgumentParser(prog="orchestrator.controller.start")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    arguments = parser.parse_args()
    sys.exit(guarded(lambda: start(arguments.state_dir, arguments.config)))


def start(state: Path, config: Path | None) -> None:
    """Start Ray's head, the controller, and the workers that the file names.

    Raises:
        OrchError: What did not come up, and why.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    cluster = ClusterFile() if config is None else read_cluster_file(config)
    head = read_head(state)
    if head is None:
        say("starting Ray ...")
        head = start_head(state, ip=cluster.head_ip, port=cluster.port)
    connect(state, head.address)
    say("starting the controller ...")
    start_controller(Controller, state)
    start_workers(cluster, head, state)


if __name__ == "__main__":
    main()
