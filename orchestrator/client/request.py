"""A job file as the body of a request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.client.code import snapshot_code
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.job import BatchJob, Job


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


def job_request(
    job: Job, *, path: str, folder: Path, text: str, extras: Extras = NO_EXTRAS
) -> dict[str, Any]:
    """The body of POST /v1/jobs and /v1/plan.

    The output folder is seen from where the user is; the controller is elsewhere,
    so it gets the absolute path.

    Args:
        job: The job, with all overrides in it.
        path: The file it came from, for messages.
        folder: Where its relative paths start; absolute.
        text: The file as it was written.
        extras: What else goes with it.

    Raises:
        OrchError: E203, the code beside the job file is too large.
    """
    of_class = isinstance(job, BatchJob) and job.model.entry is not None
    code = snapshot_code(folder) if of_class else {}
    spec = job.model_dump(mode="json")
    spec["output"]["path"] = str(Path(job.output.path).expanduser().absolute())
    return {
        "spec": spec,
        "source": {"path": path, "folder": str(folder), "text": text},
        "code": code,
        "snapshot": extras.snapshot,
        "env": dict(extras.env or {}),
        "secrets": dict(extras.secrets or {}),
        "wait_start_s": extras.wait_start_s,
    }


def environment(job: Job, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """The variables of a job and its secrets, with the values they have here.

    Raises:
        OrchError: E202, some that must come from this environment are not set in it.
    """
    secrets = set(job.secrets)
    wanted = {name for name, value in job.env.items() if value is None} | secrets
    fixed = {name: value for name, value in job.env.items() if value is not None}
    missing = sorted(wanted - set(os.environ) - set(fixed))
    if missing:
        raise OrchError(tuple(_not_set(name, path) for name in missing))
    values = {name: os.environ[name] for name in wanted if name not in fixed} | fixed
    open_ones = {name: value for name, value in values.items() if name not in secrets}
    return open_ones, {name: values[name] for name in secrets}


def _not_set(name: str, path: str) -> Fault:
    return Fault(
        Code.MISSING_FIELD,
        f"the job needs {name} from your environment, and it is not set",
        fix=f"export {name}=..., or --env {name}=VALUE",
        at=path,
    )
