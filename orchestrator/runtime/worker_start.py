"""The program that joins this machine to a cluster: Ray's worker processes.

`python -m orchestrator.runtime.worker_start --address HOST:PORT --folder DIR`, with the
cluster's token on stdin.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from orchestrator.runtime.head import start_worker


def main() -> None:
    """Start Ray here as a worker of that head; returns when it has joined."""
    parser = argparse.ArgumentParser(prog="orchestrator.runtime.worker_start")
    parser.add_argument("--address", required=True)
    parser.add_argument("--node-ip", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    folder: Path = arguments.folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = folder / "worker_token"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(token, flags, 0o600), "w") as file:
        file.write(sys.stdin.read().strip())
    start_worker(folder, token, arguments.address, arguments.node_ip)


if __name__ == "__main__":
    main()
