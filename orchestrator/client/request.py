"""A job file as the body of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.client.code import snapshot_code
from orchestrator.spec.checked import CheckedJob


@dataclass(frozen=True, slots=True)
class Extras:
    """What goes with a job that its file does not hold.

    Attributes:
        snapshot: Hash of the packed working directory; `None`: there is none.
        env: Variables of the job, with their values.
        secrets: The same, for what is shown nowhere.
        wait_start_s: How long it may wait for a place; `None`: as its file has it.
    """

    snapshot: str | None = None
    env: Mapping[str, str] | None = None
    secrets: Mapping[str, str] | None = None
    wait_start_s: float | None = None


NO_EXTRAS = Extras()


def job_request(job: CheckedJob, extras: Extras = NO_EXTRAS) -> dict[str, Any]:
    """The body of POST /v1/jobs and /v1/plan.

    The output folder is seen from where the user is; the controller is elsewhere,
    so it gets the absolute path.

    Args:
        job: The job.
        extras: What else goes with it.

    Raises:
        OrchError: E203, the code in its `workdir` is too large; E204, it is not there.
    """
    folder = job.folder.absolute()
    return {
        "spec": _spec(job, extras.wait_start_s),
        "source": {"path": str(job.path), "folder": str(folder), "text": job.text},
        "code": snapshot_code(job.workdir) if job.has_code else {},
        "snapshot": extras.snapshot,
        "env": dict(extras.env or {}),
        "secrets": dict(extras.secrets or {}),
        "wait_start_s": extras.wait_start_s,
    }


def _spec(job: CheckedJob, wait_start_s: float | None) -> dict[str, Any]:
    path = str(Path(job.output).expanduser().absolute())
    spec = {**job.spec, "output": {**job.spec["output"], "path": path}}
    if wait_start_s:
        spec["timeout"] = {**job.spec["timeout"], "queue": f"{wait_start_s:.3f}s"}
    return spec
