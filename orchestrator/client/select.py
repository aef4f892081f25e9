"""How people name a job: `42`, a name's beginning, `last` or `@`, `@~1`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.client.client import Client
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError

_NTH = re.compile(r"(?:last|@)(?:~(\d+))?")
_SHOWN = 8


def select(client: Client, selector: str) -> JobView:
    """The job that a selector means, as the controller shows it now.

    Raises:
        OrchError: E301, no job is meant; E203, several are.
    """
    if selector.isdecimal():
        return client.job(int(selector))
    return pick(selector, client.jobs(every=True))


def pick(selector: str, jobs: Sequence[JobView]) -> JobView:
    """The job among `jobs`, newest first, that a selector means.

    Raises:
        OrchError: E301, no job is meant; E203, several are.
    """
    nth = _NTH.fullmatch(selector)
    if nth:
        position = int(nth[1] or 0)
        if position < len(jobs):
            return jobs[position]
        raise _none(selector, jobs)
    meant = [job for job in jobs if job.name == selector] or [
        job for job in jobs if job.name.startswith(selector)
    ]
    if not meant:
        raise _none(selector, jobs)
    if len(meant) > 1:
        raise _several(selector, meant)
    return meant[0]


def _none(selector: str, jobs: Sequence[JobView]) -> OrchError:
    return OrchError.of(
        Code.NO_SUCH_JOB,
        f"no job is meant by '{selector}'",
        facts=(f"there are {len(jobs)} jobs",),
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
