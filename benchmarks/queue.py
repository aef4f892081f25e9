"""The queue beside others: one job, many jobs, very many jobs that wait.

    python -m benchmarks.queue
    python -m benchmarks.queue --only one,many --jobs 50
    python -m benchmarks.queue --only waiting --queued 10000 --no-peers

A job runs `true`. Everything is measured in one run, on a cluster that is up. The exit
code is 1 if a limit is not kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.queueing import orch_case
from benchmarks.queueing.peers import hyperqueue_rows, ray_rows
from benchmarks.queueing.table import Measured, machine, markdown

CASES = ("one", "many", "waiting")


def main(args: Sequence[str] | None = None) -> int:
    """Measure, print the table; 1 if a limit is not kept."""
    asked = _parser().parse_args(args)
    with tempfile.TemporaryDirectory(prefix="orch-queue-") as scratch:
        rows = measure(asked, Path(scratch))
    if asked.json:
        found = [{**asdict(row), "kept": row.kept} for row in rows]
        print(json.dumps({"machine": machine(), "rows": found}, indent=1))
    else:
        print(f"{markdown(rows)}\n\n{machine()}")
    return 0 if all(row.kept for row in rows) else 1


def measure(asked: argparse.Namespace, folder: Path) -> list[Measured]:
    """All rows, in the order of the table."""
    rows: list[Measured] = []
    with orch_case.controller(folder):
        if "one" in asked.only:
            rows.append(orch_case.one(folder, asked.runs))
        if "many" in asked.only:
            rows += orch_case.many(folder, asked.jobs)
        if "waiting" in asked.only:
            rows += orch_case.waiting(folder, asked.queued)
    if asked.peers:
        rows += ray_rows(folder, asked.runs)
        rows += hyperqueue_rows(folder, asked.runs, asked.jobs)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=_cases, default=CASES, metavar="CASE,...")
    parser.add_argument("--runs", type=int, default=10, help="of the case `one`")
    parser.add_argument("--jobs", type=int, default=500, help="in the case `many`")
    parser.add_argument(
        "--queued", type=int, default=100_000, help="in the case `waiting`"
    )
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--json", action="store_true")
    return parser


def _cases(text: str) -> tuple[str, ...]:
    cases = tuple(text.split(","))
    if unknown := set(cases) - set(CASES):
        raise argparse.ArgumentTypeError(f"no case {', '.join(sorted(unknown))}")
    return cases


if __name__ == "__main__":
    sys.exit(main())
