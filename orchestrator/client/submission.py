"""Sending jobs to the controller: their code, their environment, their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.client.client import SUBMIT_SECONDS, Client
from orchestrator.client.environment import environment
from orchestrator.client.request import Extras, job_request
from orchestrator.client.snapshot import take_snapshot
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.spec.checked import CheckedJob


def submit_all(
    client: Client, jobs: Sequence[CheckedJob], *, wait_start_s: float | None = None
) -> Iterator[JobView]:
    """Queue jobs one after the other; each is yielded as the controller has it.

    Args:
        client: Whose controller gets them.
        jobs: A job comes behind those of them that its `after` names.
        wait_start_s: How long they may wait for a place.

    Raises:
        OrchError: E101 if one can never fit; E202 if a variable is not set; E203 if
            one is not text, its code is too large, or its `after` names no job.
    """
    ids: dict[str, int] = {}
    for named in jobs:
        job = _with_ids(named, ids)
        env, secrets = environment(job)
        extras = Extras(_snapshot(client, job), env, secrets, wait_start_s)
        view = client.submit(job_request(job, extras))
        ids[job.name] = view.id
        yield view


def _with_ids(job: CheckedJob, ids: dict[str, int]) -> CheckedJob:
    """The job with the ids of the jobs that its `after` calls by name."""
    after = [_with_id(item, ids, str(job.path)) for item in job.spec["after"]]
    return replace(job, spec={**job.spec, "after": after})


def _with_id(item: dict[str, Any], ids: dict[str, int], path: str) -> dict[str, Any]:
    name = item["job"]
    if isinstance(name, int):
        return item
    if name not in ids:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"after: no job '{name}' is submitted before this one",
            facts=(f"submitted with it: {', '.join(ids) or 'none'}",),
            fix="give the id of a job that is queued already",
            at=path,
        )
    return {**item, "job": ids[name]}


def _snapshot(client: Client, job: CheckedJob) -> str | None:
    """The hash of a command's working directory, which the controller has then."""
    if job.kind != "command" or job.spec["workdir"] is None:
        return None
    output = Path(job.output).expanduser().absolute()
    taken = take_snapshot(job.workdir.absolute(), leave_out=(output,))
    path = f"/v1/snapshots/{taken.sha256}"
    if not _is_there(client, path):
        client.wire.put(path, taken.data, wait_s=SUBMIT_SECONDS)
    return taken.sha256


def _is_there(client: Client, path: str) -> bool:
    try:
        client.wire.get(path)
    except OrchError as error:
        if error.fault.code is Code.FILE_NOT_FOUND:
            return False
        raise
    return True
