"""What a finished run was: written beside its results, read to tell runs apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from orchestrator.data.files import write_atomic

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The facts one needs to know, or to repeat, a run.

    Attributes:
        job_id: The job's number.
        job_name: The job's name.
        model: The model's id, or the entry of the user's own module.
        revision: Commit or tag of the model; `None` where it has none.
        dtype: Of the weights as they were loaded.
        params: How the model was applied.
        input_fingerprint: From `source.fingerprint`.
        input_files: The files read, in order.
        rows_ok: Rows with a result, reused ones included.
        rows_failed: Rows in failed.jsonl.
        rows_reused: Rows taken over from earlier runs.
        versions: Of orch, ray, torch and python.
        seed: Of the random numbers.
        started_at: RFC 3339, UTC.
        finished_at: RFC 3339, UTC.
        identity: What must be equal for results to be reused; see `folder.Run`.
    """

    job_id: int
    job_name: str
    model: str
    revision: str | None
    dtype: str
    params: Mapping[str, Any]
    input_fingerprint: str
    input_files: tuple[str, ...]
    rows_ok: int
    rows_failed: int
    rows_reused: int
    versions: Mapping[str, str]
    seed: int
    started_at: str
    finished_at: str
    identity: Mapping[str, Any] = field(default_factory=dict)


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write `manifest.json` into `folder`, atomically."""
    path = folder / MANIFEST
    data = orjson.dumps(
        asdict(manifest), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    )
    write_atomic(path, (data,))
    return path


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in `folder`; `None` if there is none that can be read."""
    try:
        data = orjson.loads((folder / MANIFEST).read_bytes())
        return Manifest(**{**data, "input_files": tuple(data["input_files"])})
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError, KeyError):
        return None
