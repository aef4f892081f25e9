"""What a runner is told, and what it says of the job when it is done."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orchestrator.data.manifest import Manifest
from orchestrator.data.merge import FAILED, MergeSummary
from orchestrator.data.source import Source, fingerprint, stamp
from orchestrator.errors import Code, Fault
from orchestrator.spec.job import BatchJob
from orchestrator.version import VERSION


@dataclass(frozen=True, slots=True)
class RunnerJob:
    """What a runner must know.

    Attributes:
        id: The job's number.
        run: Unique over all jobs of all time.
        name: The job's name.
        job: The job file.
        folder: Where its relative input paths start.
        output: Where the results go.
        fields: The input fields that the model sees.
        revision: Of the model, as it was resolved.
        dtype: Its weights run in; empty for the user's own module, which decides.
        identity: What must be equal for earlier results to be reused.
        started_at: RFC 3339, UTC.
    """

    id: int
    run: str
    name: str
    job: BatchJob
    folder: str
    output: str
    fields: tuple[str, ...]
    revision: str
    dtype: str
    identity: Mapping[str, Any]
    started_at: str


def manifest_of(
    job: RunnerJob, source: Source, summary: MergeSummary, reused: int
) -> Manifest:
    """The manifest of a job whose rows are all merged.

    Args:
        job: The job.
        source: Its input, as it was read.
        summary: What the merge has written.
        reused: Rows taken over from earlier runs.
    """
    model = job.job.model
    return Manifest(
        job_id=job.id,
        job_name=job.name,
        model=model.id or model.entry or "",
        revision=job.revision or None,
        dtype=job.dtype or model.dtype,
        params=job.job.params.model_dump(mode="json"),
        input_fingerprint=_fingerprint(source),
        input_files=tuple(str(path) for path in source.files),
        rows_ok=summary.ok,
        rows_failed=summary.failed,
        rows_reused=reused,
        versions=_versions(),
        seed=0,
        started_at=job.started_at,
        finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        identity=job.identity,
    )


def changed(source: Source, before: str) -> bool:
    """Whether the input is no longer the one of this `stamp`."""
    try:
        return stamp(source) != before
    except OSError:
        return True


def too_many_failed(job: RunnerJob, manifest: Manifest) -> tuple[Fault, ...]:
    """E404 if more rows failed than the job allows, or all of them; else nothing."""
    rows = manifest.rows_ok + manifest.rows_failed
    none_ok = manifest.rows_failed > 0 and manifest.rows_ok == 0
    if manifest.rows_failed <= job.job.batch.failed_limit(rows) and not none_ok:
        return ()
    why = "none went well" if none_ok else "more than batch.max_failed"
    message = f"{manifest.rows_failed} of {rows} rows failed, {why}"
    fault = Fault(
        Code.TOO_MANY_FAILED_ROWS,
        message,
        facts=(f"each with its reason: {Path(job.output) / FAILED}",),
        fix="mend these rows and submit again: only they run, the others are kept",
    )
    return (fault,)


def _fingerprint(source: Source) -> str:
    try:
        return fingerprint(source)
    except OSError:
        # It was removed after it was read; the results are none the worse.
        return ""


def _versions() -> dict[str, str]:
    found = {"orch": VERSION, "python": platform.python_version()}
    for package in ("ray", "torch", "transformers"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
