"""Random kills by hand, for longer: `python -m tests.faults --seeds 200 --minutes 30`.

A line a run, then a summary; ends with 1 if a promise was not kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.census import Census
from tests.faults.head import running_head
from tests.faults.waves import ABREAST, Waves


def main() -> None:
    """Play until the seeds or the time are used up."""
    parser = argparse.ArgumentParser(prog="tests.faults")
    parser.add_argument("--seeds", type=int, default=200, help="how many runs")
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--abreast", type=int, default=ABREAST)
    asked = parser.parse_args()
    deadline = time.monotonic() + 60 * asked.minutes
    seeds = range(asked.first, asked.first + asked.seeds)
    broken: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="orch-faults-"))
    with running_head(folder) as head:
        waves = Waves(head, Census(head))
        began = time.monotonic()
        for first in range(0, len(seeds), asked.abreast):
            if time.monotonic() > deadline:
                break
            lines, wrong = waves.play(seeds[first : first + asked.abreast])
            _say(*lines, *wrong)
            broken += wrong
        waves.census.close()
        _say(_summary(waves, time.monotonic() - began, len(broken)), f"files: {folder}")
    sys.exit(1 if broken else 0)


def _summary(waves: Waves, seconds: float, broken: int) -> str:
    killed = waves.killed()
    kinds = ", ".join(f"{number} {who}" for who, number in killed.most_common())
    jobs = sum(len(outcome.views) for outcome in waves.outcomes)
    return (
        f"{len(waves.outcomes)} runs, {jobs} jobs, {killed.total()} kills ({kinds}; "
        f"{waves.missed()} without a victim) in {seconds:.0f} s: "
        f"{broken} promises broken; {waves.unwitnessed} run again for want of a witness"
    )


def _say(*lines: str) -> None:
    for each in lines:
        sys.stdout.write(each + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
