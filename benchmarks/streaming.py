"""Memory of runner and controller while rows stream through: 10,000 and 1,000,000.

    python -m benchmarks.streaming
    python -m benchmarks.streaming --rows 10000,10000000

A module that does next to nothing takes the rows; what is measured is the way of the
rows from file to file. Each size is a job of its own on the same cluster.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.client.client import Client
from orchestrator.client.views import JobView
from orchestrator.units import MIB

MODULE = """
import torch

class Nothing(torch.nn.Module):
    def forward(self, x):
        return x
"""
LIMIT_BYTES = 200 * MIB


@dataclass(frozen=True, slots=True)
class Measured:
    """One job.

    Attributes:
        rows: Rows it had.
        runner_bytes: Most resident memory of the runner, shared pages included.
        controller_bytes: The same of the controller.
        seconds: From submission to its end.
    """

    rows: int
    runner_bytes: int
    controller_bytes: int
    seconds: float


def main() -> int:
    """Measure every size; 1 if memory grew with the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="10000,1000000")
    sizes = [int(size) for size in parser.parse_args().rows.split(",")]
    with tempfile.TemporaryDirectory(prefix="orch-streaming-") as scratch:
        folder = Path(scratch)
        os.environ["ORCH_STATE_DIR"] = str(folder / "state")
        orch(folder, "up", "-q")
        try:
            found = [measure(folder, rows) for rows in sizes]
        finally:
            orch(folder, "down", "-q")
    print("| rows | runner, peak RSS | controller, peak RSS | seconds | rows/s |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for one in found:
        print(
            f"| {one.rows:,} | {one.runner_bytes // MIB} MiB "
            f"| {one.controller_bytes // MIB} MiB | {one.seconds:.1f} "
            f"| {one.rows / one.seconds:,.0f} |"
        )
    grew = max(
        *(one.runner_bytes - found[0].runner_bytes for one in found),
        *(one.controller_bytes - found[0].controller_bytes for one in found),
    )
    print(f"\nmost growth: {grew // MIB} MiB (limit {LIMIT_BYTES // MIB} MiB)")
    return 1 if grew > LIMIT_BYTES else 0


def orch(folder: Path, *words: str) -> str:
    """Run the command line."""
    command = [sys.executable, "-m", "orchestrator", *words]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def measure(folder: Path, rows: int) -> Measured:
    """Run a job of so many rows, and watch its processes."""
    place = folder / f"job-{rows}"
    place.mkdir()
    (place / "nothing.py").write_text(MODULE)
    with (place / "rows.jsonl").open("w") as file:
        file.writelines(f'{{"id":"r{n}","x":[{n}.0,1.5,2.5]}}\n' for n in range(rows))
    job = place / "job.yaml"
    job.write_text(
        "version: 1\nkind: batch\nmodel: {entry: 'nothing:Nothing'}\n"
        "input: {path: rows.jsonl, id_field: id, fields: [x]}\n"
        f"output: {{path: {place / 'out'}, format: parquet}}\n"
    )
    number = int(orch(folder, "submit", str(job), "-d", "-q"))
    runner = controller = 0
    started = time.monotonic()
    with Client.connect(folder / "state") as client:
        health = client.health()
        view = client.job(number)
        while not view.state.final:
            runner = max(runner, resident(runner_pid(view)))
            controller = max(controller, resident(health.pid))
            view = client.job(number, after=view.version, wait_s=0.2)
    if view.state != "SUCCEEDED" or view.progress.rows_done != rows:
        raise SystemExit(f"the job of {rows} rows ended so: {view.document}")
    return Measured(rows, runner, controller, time.monotonic() - started)


def runner_pid(view: JobView) -> int:
    """The runner's process, once it has one."""
    pid: int = view.document["runner"]["pid"]
    return pid


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 if it is not there."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
