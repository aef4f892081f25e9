"""Merges parts into the results in input order, while the job still runs if need be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from orchestrator.data.files import sync_folder
from orchestrator.data.index import KEYS, Format, Index, write_index
from orchestrator.data.parts import Part, keys_of, read_part
from orchestrator.data.results import JsonlWriter, ParquetWriter, without_key
from orchestrator.errors import Code, OrchError

FAILED = "failed.jsonl"


@dataclass(frozen=True, slots=True)
class MergeSummary:
    """What a merge has written."""

    ok: int
    failed: int
    path: Path
    """The results file."""


def merge(
    parts: Iterable[Path],
    folder: Path,
    format: Format,  # noqa: A002
    *,
    run: str = "",
    on_part: Callable[[int, int], None] | None = None,
) -> MergeSummary:
    """Write the results file, failed.jsonl and the index of `parts` into `folder`.

    Holds one part, or one Parquet row group, in memory. Everything is on the disk when
    it returns; whoever calls it puts the files in place (`OutputFolder.commit`), so a
    crash on the way leaves nothing that looks finished. May run in a process or
    thread of its own, fed by an iterable that blocks: see `parts.in_order`.

    Args:
        parts: The parts in input order, from row 0 without a gap.
        folder: An empty folder, made if it is not there.
        format: Of the results file.
        run: Id of the run, for the index.
        on_part: Told the rows merged and failed so far, after each part.

    Raises:
        OrchError: E900 when rows are missing between or within parts; E401 when a
            column has no common type for Parquet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = (JsonlWriter if format == "jsonl" else ParquetWriter)(folder)
    ok = failed = 0
    with (
        closing(writer),
        (folder / FAILED).open("wb") as failures,
        (folder / KEYS).open("wb") as keys,
    ):
        for path in parts:
            part = read_part(path)
            _check_complete(part, ok + failed)
            if part.table.num_rows:
                writer.write(without_key(part.table))
                keys.write(keys_of(part.table))
            _write_failures(failures, part)
            ok += part.table.num_rows
            failed += len(part.failures)
            if on_part is not None:
                on_part(ok, failed)
        for file in (failures, keys):
            file.flush()
            os.fsync(file.fileno())
    size = writer.path.stat().st_size
    write_index(folder, Index(run, format, ok, size, writer.schema))
    sync_folder(folder)
    return MergeSummary(ok, failed, writer.path)


def _check_complete(part: Part, expected_row: int) -> None:
    if part.first_row != expected_row:
        raise OrchError.of(
            Code.BUG,
            f"a part starts at row {part.first_row}, expected row {expected_row}",
        )
    found = part.table.num_rows + len(part.failures)
    if found != part.rows:
        raise OrchError.of(
            Code.BUG,
            f"the part at row {part.first_row} has {found} of its {part.rows} rows",
        )


def _write_failures(file: BinaryIO, part: Part) -> None:
    for failure in sorted(part.failures, key=lambda item: item.row):
        line = {
            "row": failure.row,
            "id": failure.id,
            "code": failure.code,
            "message": failure.message,
        }
        file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
