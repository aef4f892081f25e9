"""A whole batch run in one process, for the tests of this folder: no model, no Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from orchestrator.data.decode import decode
from orchestrator.data.folder import OnExists, OutputFolder, Run
from orchestrator.data.manifest import Manifest
from orchestrator.data.merge import merge
from orchestrator.data.parts import PartStore, combine, encode_part, in_order
from orchestrator.data.previous import NOT_FOUND, Previous
from orchestrator.data.reader import Reader
from orchestrator.data.rows import Chunk, RowFailure, Rows
from orchestrator.data.source import count_rows, fingerprint, resolve_inputs
from orchestrator.errors import Code
from orchestrator.spec.job import Input

IDENTITY = {"model": "test", "fields": ("text",)}


def manifest_of(rows_ok: int, rows_failed: int, rows_reused: int) -> Manifest:
    return Manifest(
        job_id=1,
        job_name="test",
        model="test",
        revision=None,
        dtype="float32",
        params={"normalize": True},
        input_fingerprint="",
        input_files=("in.jsonl",),
        rows_ok=rows_ok,
        rows_failed=rows_failed,
        rows_reused=rows_reused,
        versions={"orch": "0"},
        seed=0,
        started_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:00:01Z",
        identity=IDENTITY,
    )


def vector_of(text: str) -> list[float]:
    """What the 'model' makes of a text."""
    return [len(text) / 3, sum(text.encode()) / 7, 0.1]


def work_on(rows: Rows) -> tuple[Rows, dict[str, np.ndarray], list[RowFailure]]:
    """Outputs of the rows; a row whose text holds 'bad' fails."""
    good = [i for i, (text,) in enumerate(rows.fields) if "bad" not in text]
    failures = [
        RowFailure(rows.numbers[i], rows.ids[i], Code.USER_CODE_RAISED, "bad text")
        for i in range(len(rows))
        if i not in good
    ]
    kept = Rows(
        [rows.numbers[i] for i in good],
        [rows.keys[i] for i in good],
        [rows.ids[i] for i in good],
        [rows.fields[i] for i in good],
    )
    vectors = [vector_of(text) for (text,) in kept.fields]
    outputs = np.array(vectors, np.float32).reshape(-1, 3)
    return kept, {"embedding": outputs}, failures


def read_all(reader: Reader, sizes: Sequence[int], max_bytes: int) -> list[Chunk]:
    chunks: list[Chunk] = []
    while True:
        chunk = reader.next_chunk(sizes[len(chunks) % len(sizes)], max_bytes)
        if chunk is None:
            return chunks
        chunks.append(chunk)


def run_chunk(
    chunk: Chunk, previous: Previous | None, id_field: str | None, ran: list[str]
) -> tuple[bytes, list[RowFailure], int]:
    """The part of a chunk; what runs is noted in `ran`, what is found is reused."""
    rows, failures = decode(chunk, ("text",), id_field)
    reused: pa.Table | None = None
    if previous is not None and len(rows):
        found = previous.find(rows.keys)
        known = np.flatnonzero(found != NOT_FOUND)
        if len(known):
            numbers = [rows.numbers[i] for i in known]
            reused = previous.take(found[known], numbers)
            chunk = Chunk(
                chunk.first_row,
                chunk.rows,
                chunk.format,
                chunk.payload,
                chunk.header,
                frozenset(numbers),
            )
            rows, failures = decode(chunk, ("text",), id_field)
    ran.extend(text for (text,) in rows.fields)
    kept, outputs, more = work_on(rows)
    part = encode_part(kept, outputs)
    if reused is None:
        return part, failures + more, 0
    return combine(part, reused), failures + more, reused.num_rows


def batch(
    root: Path,
    texts: Path,
    run_id: str,
    *,
    format: Literal["jsonl", "parquet"] = "jsonl",  # noqa: A002
    on_exists: OnExists = "resume",
    id_field: str | None = None,
    stop_after: int | None = None,
) -> list[str]:
    """Run a job over `texts` into `root`; the texts that really ran.

    With `stop_after`, only that many chunks are done and nothing is merged.
    """
    source = resolve_inputs(Input(path=str(texts)), root)
    run = Run(run_id, fingerprint(source), IDENTITY)
    folder = OutputFolder.open(root, run, on_exists)
    if folder.finished is not None:
        return []
    store = folder.parts()
    previous = Previous.open(folder.work)
    reader = Reader(source, ("text",), store.done_ranges())
    ran, reused = _chunks(store, reader, previous, id_field, stop_after)
    if stop_after is None:
        summary = merge(in_order(store.paths()), folder.next, format, run=run_id)
        assert summary.ok + summary.failed == count_rows(source)
        folder.commit(manifest_of(summary.ok, summary.failed, reused))
    return ran


def _chunks(
    store: PartStore,
    reader: Reader,
    previous: Previous | None,
    id_field: str | None,
    stop_after: int | None,
) -> tuple[list[str], int]:
    ran: list[str] = []
    reused = done = 0
    while done != stop_after and (chunk := reader.next_chunk(3, 1 << 20)) is not None:
        part, failures, taken = run_chunk(chunk, previous, id_field, ran)
        store.write(chunk.first_row, chunk.rows, part, failures)
        reused += taken
        done += 1
    return ran, reused
