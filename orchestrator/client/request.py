"""A job file as the body of a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.client.code import snapshot_code
from orchestrator.spec.job import Job


def job_request(job: Job, *, path: str, folder: Path, text: str) -> dict[str, Any]:
    """The body of POST /v1/jobs and /v1/plan.

    The output folder is seen from where the user is; the controller is elsewhere,
    so it gets the absolute path.

    Args:
        job: The job, with all overrides in it.
        path: The file it came from, for messages.
        folder: Where its relative paths start; absolute.
        text: The file as it was written.

    Raises:
        OrchError: E203, the code beside the job file is too large.
    """
    code = snapshot_code(folder) if job.model.entry is not None else {}
    spec = job.model_dump(mode="json")
    spec["output"]["path"] = str(Path(job.output.path).expanduser().absolute())
    return {
        "spec": spec,
        "source": {"path": path, "folder": str(folder), "text": text},
        "code": code,
    }
