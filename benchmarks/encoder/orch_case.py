"""orch on the same rows, as its users run it: text in a file, a job file, submit."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.encoder import data as rows_of
from benchmarks.encoder.measure import Done, Vectors, sampled
from benchmarks.encoder.peers import Work
from benchmarks.encoder.process import PartError, run

TIMINGS = Path(".orch", "timings.jsonl")


@dataclass(frozen=True, slots=True)
class OrchRun:
    """What came out.

    Attributes:
        done: Finished chunks.
        vectors: The sampled rows, `[rows, hidden]`.
        whole_s: From the command to its end: start of the model, rows, results
            merged in order, on a cluster that is up.
    """

    done: list[Done]
    vectors: Vectors
    whole_s: float


def run_orch(work: Work, scratch: Path, limit_s: float) -> OrchRun:
    """Submits the job on as many GPUs as the work names, and waits for its end.

    Raises:
        PartError: The job failed, or its results are not the rows in order.
    """
    scratch.mkdir(parents=True)
    rows_of.write_jsonl(work.data(), scratch / "rows.jsonl", work.vocab_size)
    job = scratch / "job.yaml"
    # JSON is YAML.
    job.write_text(json.dumps(job_document(work, scratch), indent=2))
    try:
        whole_s = _orch(scratch, limit_s, "submit", str(job))
        return OrchRun(
            timings(scratch / "out" / TIMINGS),
            sampled_vectors(scratch / "out" / "results.parquet", work),
            whole_s,
        )
    finally:
        shutil.rmtree(scratch / "out", ignore_errors=True)


def start_orch(scratch: Path) -> None:
    """Brings the cluster up that all runs of orch share, as its users do.

    Raises:
        PartError: It did not come up.
    """
    scratch.mkdir(parents=True)
    _orch(scratch, 120, "up")


def stop_orch(scratch: Path) -> None:
    """Takes that cluster down."""
    # Why a job failed matters more than why this did.
    with suppress(PartError):
        _orch(scratch, 120, "down")


def _orch(scratch: Path, limit_s: float, *words: str) -> float:
    env = {"ORCH_STATE_DIR": str(scratch.parent / "orch-state")}
    command = [sys.executable, "-m", "orchestrator", *words]
    return run(command, scratch / f"{words[0]}.log", env=env, limit_s=limit_s)


def job_document(work: Work, scratch: Path) -> dict[str, object]:
    """The job file; nothing is tuned by hand."""
    return {
        "version": 1,
        "kind": "batch",
        "name": f"encoder-{work.case}-{len(work.devices)}",
        "model": {"id": str(work.folder)},
        "resources": {"gpus": len(work.devices)},
        "input": {"path": "rows.jsonl", "id_field": "id", "text": "text"},
        "params": {"normalize": True},
        # The next run is another size of the same thing: it must load for itself.
        "keep_alive": 0,
        "output": {
            "path": str(scratch / "out"),
            "format": "parquet",
            "on_exists": "overwrite",
        },
    }


def timings(path: Path) -> list[Done]:
    """The chunks a job's runner has noted as finished."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["t"], line["rows"]) for line in lines]


def sampled_vectors(path: Path, work: Work) -> Vectors:
    """The sampled rows' vectors.

    Raises:
        PartError: Rows are missing, twice there, or out of order.
    """
    table = pq.read_table(path, memory_map=True)
    ids = table.column("id").to_pylist()
    if [int(i) for i in ids] != list(range(work.rows)):
        raise PartError(f"{len(ids)} results are not the {work.rows} rows in order")
    lists = [field.name for field in table.schema if _is_vector(field.type)]
    column = table.column(lists[0]).take(pa.array(sampled(work.stride, work.rows)))
    return np.array(column.to_pylist(), dtype=np.float32)


def _is_vector(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
    )
