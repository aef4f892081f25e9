"""Sending jobs to the controller: their code, their environment, their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.client.client import SUBMIT_SECONDS, Client
from orchestrator.client.request import Extras, environment, job_request
from orchestrator.client.snapshot import take_snapshot
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.spec.after import After
from orchestrator.spec.job import Job
from orchestrator.spec.load import LoadedJob


def submit_all(
    client: Client, jobs: Sequence[LoadedJob], *, wait_start_s: float | None = None
) -> Iterator[JobView]:
    """Queue jobs one after the other; each is yielded as the controller has it.

    Args:
        client: Whose controller gets them.
        jobs: A job comes behind those of them that its `after` names.
        wait_start_s: How long they may wait for a place.

    Raises:
        OrchError: E101 if one can never fit; E202 if a variable is not set; E203 if
            its code is too large, or its `after` names no job.
    """
    ids: dict[str, int] = {}
    for loaded in jobs:
        job = _with_ids(loaded.job, ids, str(loaded.path))
        env, secrets = environment(job, str(loaded.path))
        body = job_request(
            job,
            path=str(loaded.path),
            folder=loaded.folder.absolute(),
            text=loaded.text,
            extras=Extras(_snapshot(client, loaded), env, secrets, wait_start_s),
        )
        view = client.submit(body)
        ids[job.name] = view.id
        yield view


def _with_ids(job: Job, ids: dict[str, int], path: str) -> Job:
    """The job with the ids of the jobs that its `after` calls by name."""
    after = tuple(_with_id(item, ids, path) for item in job.after)
    return job.model_copy(update={"after": after})


def _with_id(item: After, ids: dict[str, int], path: str) -> After:
    if isinstance(item.job, int):
        return item
    if item.job not in ids:
        raise OrchError.of(
            Code.BAD_VALUE,
            f"after: no job '{item.job}' is submitted before this one",
            facts=(f"submitted with it: {', '.join(ids) or 'none'}",),
            fix="give the id of a job that is queued already",
            at=path,
        )
    return item.model_copy(update={"job": ids[item.job]})


def _snapshot(client: Client, loaded: LoadedJob) -> str | None:
    """The hash of the working directory, which the controller has then."""
    workdir = loaded.job.workdir
    if workdir is None:
        return None
    folder = (loaded.folder / workdir).absolute()
    output = Path(loaded.job.output.path).expanduser().absolute()
    taken = take_snapshot(folder, leave_out=(output,))
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
