"""Programs that are run to their end, with the time they took."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ORCH = (sys.executable, "-m", "orchestrator")


@dataclass(frozen=True, slots=True)
class Took:
    """What a program took: seconds on the clock, and of processors (user and system).

    The second hardly depends on what else the machine does.
    """

    wall_s: float
    cpu_s: float


def run(command: Sequence[str], folder: Path) -> Took:
    """Run a program that must succeed."""
    cpu_before, began = _cpu_of_children(), time.monotonic()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    took = Took(time.monotonic() - began, _cpu_of_children() - cpu_before)
    if done.returncode != 0:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{said}")
    return took


def orch(folder: Path, *words: str) -> Took:
    """Run the command line once."""
    return run((*ORCH, *words), folder)


def cpu_note(runs: Sequence[Took]) -> str:
    """The processors' time of a run."""
    return f"{median(one.cpu_s for one in runs):.2f} s of CPU in the command"


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
