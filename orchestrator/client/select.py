"""How people name a job: `42`, `42.3`, `42#2`, a name's beginning, `@`, `@~1`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.client.client import Client
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey

_KEY = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,9})?")
_NTH = re.compile(r"(?:last|@)(?:~([0-9]{1,9}))?")
_ATTEMPT = re.compile(r"(.+)#([1-9][0-9]{0,8})")
_SHOWN = 8
_FARTHEST = 10_000
"""How far back `@~N` may reach: each step is a job that must be fetched."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What a selector means: a job, and one attempt of it if that was named."""

    job: JobView
    attempt: int | None = None


def select(client: Client, selector: str) -> JobView:
    """The job that a selector means, as the controller shows it now.

    Raises:
        OrchError: E301, no job is meant; E203, several are.
    """
    if _KEY.fullmatch(selector):
        return client.job(JobKey.parse(selector))
    nth = _NTH.fullmatch(selector)
    if nth:
        limit = min(int(nth[1] or 0), _FARTHEST) + 1
        return pick(selector, client.jobs(every=True, limit=limit, order="newest").jobs)
    return pick(selector, client.jobs(every=True, name=selector).jobs)


def select_attempt(client: Client, selector: str) -> Selected:
    """As `select`; `#2` at the end means the second attempt.

    Raises:
        OrchError: E301, no job or attempt is meant; E203, several are.
    """
    named = _ATTEMPT.fullmatch(selector)
    if named is None:
        return Selected(select(client, selector))
    job, attempt = select(client, named[1]), int(named[2])
    if attempt > job.attempt:
        raise OrchError.of(
            Code.NO_SUCH_JOB,
            f"job {job.key} has no attempt {attempt}",
            facts=(f"it is at attempt {job.attempt}",),
        )
    return Selected(job, attempt)


def pick(selector: str, jobs: Sequence[JobView]) -> JobView:
    """The job among `jobs` that a selector means.

    Raises:
        OrchError: E301, no job is meant; E203, several are.
    """
    nth = _NTH.fullmatch(selector)
    if nth:
        newest = sorted(jobs, key=lambda job: job.id, reverse=True)
        position = int(nth[1] or 0)
        if position < len(newest):
            return newest[position]
        raise _none(selector)
    meant = [job for job in jobs if job.name == selector] or [
        job for job in jobs if job.name.startswith(selector)
    ]
    if not meant:
        raise _none(selector)
    if len(meant) > 1:
        raise _several(selector, meant)
    return meant[0]


def _none(selector: str) -> OrchError:
    return OrchError.of(
        Code.NO_SUCH_JOB,
        f"no job is meant by '{selector}'",
        fix="orch status -a   lists them all",
    )


def _several(selector: str, meant: Sequence[JobView]) -> OrchError:
    shown = tuple(f"{job.id}  {job.name}  {job.state}" for job in meant[:_SHOWN])
    more = (f"and {len(meant) - _SHOWN} more",) if len(meant) > _SHOWN else ()
    return OrchError.of(
        Code.BAD_VALUE,
        f"'{selector}' means {len(meant)} jobs",
        facts=shown + more,
        fix=f"name one by its id: {meant[0].id}",
    )
