"""Which set-ups run on how many GPUs and rows, one after the other."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.encoder import data as rows_of
from benchmarks.encoder.measure import (
    SAME_COSINE,
    SAMPLE_ROWS,
    WARM_SHARE,
    Done,
    Vectors,
    least_centred_cosine,
    least_cosine,
    steady_rate,
)
from benchmarks.encoder.model import Shape
from benchmarks.encoder.orch_case import run_orch, start_orch, stop_orch
from benchmarks.encoder.peers import Work
from benchmarks.encoder.process import PartError, run
from benchmarks.encoder.table import Measured

SEED = 2
# What one H200 does in a second at 128 tokens; sets how many rows there are.
EXPECTED_RATE = 17_500
EXPECTED_DATA_PARALLEL_RATE = 6_000
ROWS_TO_ESTIMATE_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure.

    Attributes:
        setups: Keys of `table.TITLES`.
        cases: `fixed`, `skewed`.
        gpus: Numbers of GPUs for orch; the rivals use one (loop) or the most.
        rows: Rows a GPU; 0: from `seconds`.
        seconds: How long the steady part should last.
        batch: Rows a batch of the rivals.
        shape: The encoder's sizes.
        device: `cuda` or `cpu`.
        limit_s: Seconds a set-up may take.
    """

    setups: tuple[str, ...]
    cases: tuple[str, ...]
    gpus: tuple[int, ...]
    rows: int
    seconds: float
    batch: int
    shape: Shape
    device: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One set-up on one case."""

    setup: str
    gpus: int
    case: str
    rows: int


def runs(options: Options) -> list[Run]:
    """Everything to measure, in order; the loop comes first, others compare to it."""
    most = max(options.gpus)
    on = {"loop": (1,), "orch": options.gpus}
    if options.device == "cpu" or most == 1:
        on["dataparallel"] = ()
    return [
        Run(setup, gpus, case, _rows(options, setup, gpus, case))
        for case in options.cases
        for setup in options.setups
        for gpus in on.get(setup, (most,))
    ]


def _rows(options: Options, setup: str, gpus: int, case: str) -> int:
    if options.rows:
        return options.rows * gpus
    rate = EXPECTED_RATE * gpus
    if setup == "dataparallel":
        rate = EXPECTED_DATA_PARALLEL_RATE
    tokens = rows_of.lengths(case, ROWS_TO_ESTIMATE_LENGTH, SEED).mean()
    share = rows_of.FIXED_TOKENS / tokens
    return int(options.seconds * rate * share / (1 - WARM_SHARE))


def measure(options: Options, folder: Path, scratch: Path) -> Iterator[Measured]:
    """Runs one set-up after the other; a failed one is a result with an error.

    Args:
        options: What to measure.
        folder: The model.
        scratch: Where tasks, logs and rows go.
    """
    planned = runs(options)
    with ExitStack() as at_the_end:
        if any(run.setup == "orch" for run in planned):
            at_the_end.callback(stop_orch, scratch / "orch-up")
            start_orch(scratch / "orch-up")
        yield from _measure_each(planned, options, folder, scratch)


def _measure_each(
    planned: list[Run], options: Options, folder: Path, scratch: Path
) -> Iterator[Measured]:
    first: dict[str, Vectors] = {}
    for number, planned_run in enumerate(planned):
        shared = min(r.rows for r in planned if r.case == planned_run.case)
        work = _work(options, planned_run, folder, max(1, shared // SAMPLE_ROWS))
        place = scratch / f"{number}-{planned_run.setup}"
        result = Measured(**asdict(planned_run))
        try:
            done, vectors, whole_s = _perform(planned_run.setup, work, place, options)
            reference = first.setdefault(planned_run.case, vectors)
            result = replace(result, rate=steady_rate(done), whole_s=whole_s)
            yield _compared(result, vectors, reference)
        except (PartError, ValueError, OSError, KeyError) as error:
            yield replace(result, error=f"{type(error).__name__}: {error}")


def _work(options: Options, planned: Run, folder: Path, stride: int) -> Work:
    names = ["cpu" if options.device == "cpu" else f"cuda:{i}" for i in range(99)]
    return Work(
        folder=folder,
        devices=tuple(names[: planned.gpus]),
        case=planned.case,
        rows=planned.rows,
        batch=options.batch,
        vocab_size=options.shape.vocab_size,
        seed=SEED,
        stride=stride,
    )


def _perform(
    setup: str, work: Work, place: Path, options: Options
) -> tuple[list[Done], Vectors, float]:
    if setup == "orch":
        orch = run_orch(work, place, options.limit_s)
        return orch.done, orch.vectors, orch.whole_s
    place.mkdir()
    answer = place / "answer.npz"
    task = {"setup": setup, "answer": str(answer), "work": asdict(work)}
    (place / "task.json").write_text(json.dumps(task, default=str))
    command = [sys.executable, "-m", "benchmarks.encoder.peer_main"]
    cores = max(1, (os.cpu_count() or 1) // len(work.devices))
    whole_s = run(
        [*command, str(place / "task.json")],
        place / "log.txt",
        env={"OMP_NUM_THREADS": str(cores)},
        limit_s=options.limit_s,
    )
    with np.load(answer) as saved:
        done = [(float(t), int(rows)) for t, rows in saved["done"]]
        return done, saved["vectors"], whole_s


def _compared(result: Measured, vectors: Vectors, reference: Vectors) -> Measured:
    both = min(len(vectors), len(reference))
    cosine = least_cosine(vectors[:both], reference[:both])
    centred = least_centred_cosine(vectors[:both], reference[:both])
    agrees = min(cosine, centred) > SAME_COSINE
    return replace(
        result,
        cosine=cosine,
        centred=centred,
        error="" if agrees else f"other vectors: {cosine:.5f}, centred {centred:.5f}",
    )
