"""The program that ends the Ray worker that `worker_start` has started here, by pid."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.runtime.head import WORKER_FILE, read_head


def main() -> None:
    """Stop it, if it runs."""
    parser = argparse.ArgumentParser(prog="orchestrator.runtime.worker_stop")
    parser.add_argument("--folder", type=Path, required=True)
    folder: Path = parser.parse_args().folder.expanduser()
    worker = read_head(folder, WORKER_FILE)
    if worker is not None:
        worker.stop()
    (folder / WORKER_FILE).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
