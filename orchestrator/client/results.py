"""Rows of a job's output folder, read as a stream where the folder is at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError

FAILED = "failed.jsonl"
MANIFEST = "manifest.json"
PARTS = ".orch/parts"
_OF_PARTS = {"_row": "row", "_key": None}
"""Columns of a part that results have by another name, or not at all."""
_BATCH_ROWS = 256


def results_path(job: JobView) -> Path:
    """The file with the results.

    Raises:
        OrchError: E304, the job has none; E204, it is not on this machine.
    """
    if job.results is None:
        then = "explain" if job.state.final else "wait"
        partial = f"; rows so far: orch results {job.key} --partial"
        raise OrchError.of(
            Code.WRONG_STATE,
            f"job {job.key} is {job.state} and has no results file",
            fix=f"orch {then} {job.key}{partial if job.progress.rows_ok else ''}",
        )
    return _there(Path(job.results))


def result_rows(job: JobView) -> Iterator[dict[str, Any]]:
    """The results in the order of the input.

    Raises:
        OrchError: E304, the job has none yet; E204, they are not on this machine.
    """
    path = results_path(job)
    return _parquet_rows(path) if path.suffix == ".parquet" else _json_rows(path)


def failed_rows(job: JobView) -> Iterator[dict[str, Any]]:
    """The rows that failed, each with its code and message."""
    path = Path(job.output) / FAILED
    return _json_rows(path) if job.output and path.is_file() else iter(())


def partial_rows(job: JobView) -> Iterator[dict[str, Any]]:
    """Rows that are finished, in the order of the input, while others are not.

    Once there is a results file, its rows.
    """
    if job.results is not None and Path(job.results).is_file():
        yield from result_rows(job)
        return
    folder = Path(job.output) / PARTS
    # A part's name begins with the number of its first row.
    for path in sorted(folder.glob("*.arrow")) if job.output else ():
        yield from _part_rows(path)


def _there(path: Path) -> Path:
    if not path.is_file():
        raise OrchError.of(
            Code.FILE_NOT_FOUND,
            f"{path} is not there",
            facts=("it was written where the controller runs",),
            fix="ask on that machine, or see whether it was moved",
        )
    return path


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    # pyarrow takes 0.2 s to import; most results are JSON Lines.
    with import_module("pyarrow.parquet").ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            yield from batch.to_pylist()


def _part_rows(path: Path) -> Iterator[dict[str, Any]]:
    arrow = import_module("pyarrow")
    try:
        source = arrow.memory_map(str(path))
    except FileNotFoundError:
        return  # merged meanwhile
    with source, arrow.ipc.open_stream(source) as stream:
        for batch in stream:
            for row in batch.to_pylist():
                yield _as_result(row)


def _as_result(row: dict[str, Any]) -> dict[str, Any]:
    """A part's row as the results show it: no key, and no id where it has none."""
    named = ((_OF_PARTS.get(name, name), value) for name, value in row.items())
    return {
        name: value
        for name, value in named
        if name is not None and not (name == "id" and value is None)
    }
