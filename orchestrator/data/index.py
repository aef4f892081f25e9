"""What lies beside merged results so that a later run can take rows from them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
import pyarrow as pa

from orchestrator.data.files import write_atomic

Format = Literal["jsonl", "parquet"]

INDEX, KEYS, OFFSETS = "index.json", "keys", "offsets"


@dataclass(frozen=True, slots=True)
class Index:
    """The merged results as they were when their run finished.

    Attributes:
        run: Id of that run.
        format: Of the results file.
        rows: How many rows it has; `keys` holds 16 bytes for each, in its order.
        size_bytes: Of the results file; another size means that somebody changed it.
        schema: Types of its columns, which JSONL itself does not tell.
    """

    run: str
    format: Format
    rows: int
    size_bytes: int
    schema: pa.Schema

    @property
    def results(self) -> str:
        """Name of the results file."""
        return f"results.{self.format}"


def write_index(folder: Path, index: Index) -> None:
    """Write the index, atomically; its keys and offsets are there already."""
    fields = {
        "run": index.run,
        "format": index.format,
        "rows": index.rows,
        "size_bytes": index.size_bytes,
        "schema": base64.b64encode(index.schema.serialize()).decode(),
    }
    write_atomic(folder / INDEX, (orjson.dumps(fields),))


def read_index(folder: Path) -> Index | None:
    """The index in `folder`; `None` where no run has finished."""
    try:
        fields = orjson.loads((folder / INDEX).read_bytes())
    except FileNotFoundError:
        return None
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(fields["schema"])))
    return Index(**{**fields, "schema": schema})
