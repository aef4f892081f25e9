"""Programs that are run to their end, with the time they took."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ORCH = (sys.executable, "-m", "orchestrator")


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """Wall time of a program that must succeed."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    took = time.monotonic() - began
    if done.returncode != 0:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{said}")
    return took


def orch(folder: Path, *words: str) -> float:
    """Wall time of one run of the command line."""
    return seconds_of((*ORCH, *words), folder)
