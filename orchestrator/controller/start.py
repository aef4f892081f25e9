"""The program that brings Ray and the controller up on this machine.

`python -m orchestrator.controller.start --state-dir DIR`: says what it does on stderr;
on failure its last line on stdout is JSON with the faults.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from orchestrator.controller.clusterfile import ClusterFile, read_cluster_file
from orchestrator.controller.programs import guarded, say
from orchestrator.controller.workers import start_workers
from orchestrator.errors import Fault, OrchError
from orchestrator.runtime.head import (
    TOKEN_FILE,
    Head,
    ray_environment,
    read_head,
    start_head,
)


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
    say("starting the controller ...")
    _launch(state, head)
    start_workers(cluster, head, state)


def _launch(state: Path, head: Head) -> None:
    """Run the program that makes the actor: Ray reads its token at import."""
    command = [sys.executable, "-m", "orchestrator.controller.launch"]
    command += ["--state-dir", str(state), "--address", head.address]
    environment = {**os.environ, **ray_environment(state / TOKEN_FILE)}
    # A left-over RAY_ADDRESS would silently lead elsewhere.
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        faults = json.loads(done.stdout.strip().splitlines()[-1])["faults"]
        raise OrchError(tuple(Fault.from_json(fault) for fault in faults))


if __name__ == "__main__":
    main()
