"""`orch status`: the jobs, or one of them."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.live import keep_showing
from orchestrator.cli.params import Duration, States
from orchestrator.cli.session import Session, now, with_session
from orchestrator.client.client import LISTED, Client, JobList
from orchestrator.client.select import select
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.detail import job_detail
from orchestrator.render.errors import fault_lines
from orchestrator.render.jobs import counts_line, jobs_table
from orchestrator.render.plan import diagnosis_lines

TASKS_SHOWN = 20
_EVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for."""

    selectors: tuple[str, ...]
    every: bool
    states: tuple[State, ...]
    kind: str | None
    limit: int


@click.command(
    "status",
    epilog="""\b
Examples:
  orch status                  what waits and runs
  orch status -a -s failed     all that failed
  orch status last             one job in detail, or an array with its tasks
  orch status -w               again and again, until Ctrl-C

\b
Exit code with --exit-code: the job's outcome; 8 while it is not finished.""",
)
@click.argument("selectors", metavar="[JOB]...", nargs=-1)
@click.option("-a", "--all", "every", is_flag=True, help="Finished jobs too.")
@click.option(
    "-s",
    "--state",
    "states",
    type=States(),
    default=(),
    help="Only these, such as pending,running.",
)
@click.option("-k", "--kind", metavar="KIND", help="Only batch, or command.")
@click.option(
    "-n",
    "limit",
    type=click.IntRange(min=1),
    default=LISTED,
    show_default=True,
    help="At most so many.",
)
@click.option(
    "-w",
    "--watch",
    "every_s",
    type=Duration(),
    is_flag=False,
    flag_value=f"{_EVERY_SECONDS:.0f}s",
    metavar="[TIME]",
    help="Show it again every 2 s, or every TIME.",
)
@click.option("--exit-code", "outcome", is_flag=True, help="Exit as the job ended.")
@with_session
def command(  # noqa: PLR0913, RUF100
    session: Session,
    *,
    selectors: tuple[str, ...],
    every: bool,
    states: tuple[State, ...],
    kind: str | None,
    limit: int,
    every_s: float | None,
    outcome: bool,
) -> int:
    """List jobs, or show some in detail."""
    finished = any(state.final for state in states)
    query = Query(selectors, every or finished, states, kind, limit)
    with Client.connect(session.folder) as client:
        if every_s is not None:
            return keep_showing(
                session, every_s, lambda: _screen(session, client, query)
            )
        jobs = _jobs(client, query)
        session.write_all(_lines(session, client, query, jobs))
        if not (selectors or session.as_json):
            session.talk.say(_counts(query, jobs))
    codes = [job.exit_code for job in jobs.jobs if outcome]
    return next((code for code in codes if code), 0)


def _jobs(client: Client, query: Query) -> JobList:
    if query.selectors:
        meant = tuple(select(client, selector) for selector in query.selectors)
        return JobList(meant, {})
    more = {} if query.kind is None else {"kind": query.kind}
    found = client.jobs(
        every=query.every, states=query.states, limit=query.limit, **more
    )
    shown = tuple(job for job in found.jobs if query.kind in (None, job.kind))
    return JobList(shown, found.counts)


def _screen(session: Session, client: Client, query: Query) -> list[str]:
    jobs = _jobs(client, query)
    lines = _lines(session, client, query, jobs)
    if not (query.selectors or session.as_json or session.quiet):
        lines.append(_counts(query, jobs))
    return lines


def _lines(session: Session, client: Client, query: Query, jobs: JobList) -> list[str]:
    if session.as_json:
        return [session.document("status", _data(client, query, jobs))]
    if session.quiet:
        return [str(job.key) for job in jobs.jobs]
    if not query.selectors:
        return jobs_table(jobs.jobs, now())
    details = [[*_detail(job), *_tasks(client, query, job)] for job in jobs.jobs]
    return [
        line for n, lines in enumerate(details) for line in ([""] if n else []) + lines
    ]


def _data(client: Client, query: Query, jobs: JobList) -> dict[str, object]:
    data: dict[str, object] = {"jobs": [job.document for job in jobs.jobs]}
    if not query.selectors:
        return {**data, "counts": {str(s): n for s, n in jobs.counts.items()}}
    arrays = [job for job in jobs.jobs if job.tasks is not None]
    if arrays:
        data["tasks"] = [
            task.document for job in arrays for task in _of_array(client, query, job)
        ]
    return data


def _of_array(client: Client, query: Query, job: JobView) -> tuple[JobView, ...]:
    return client.tasks(job.id, states=query.states, limit=query.limit).jobs


def _counts(query: Query, jobs: JobList) -> str:
    # Of what is asked for by state or kind, the controller's counts are not.
    listed = len(jobs.jobs) if query.states or query.kind else None
    return counts_line(jobs.counts, len(jobs.jobs), every=query.every, listed=listed)


def _detail(job: JobView) -> list[str]:
    lines = job_detail(job, now())
    if job.diagnosis is not None and job.state is State.PENDING:
        lines += diagnosis_lines(job.diagnosis)
    for fault in job.faults:
        lines += fault_lines(fault)
    return lines


def _tasks(client: Client, query: Query, job: JobView) -> list[str]:
    if job.tasks is None:
        return []
    limit = TASKS_SHOWN if query.limit == LISTED else query.limit
    tasks = client.tasks(job.id, states=query.states, limit=limit).jobs
    lines = ["", *jobs_table(tasks, now())]
    left = job.tasks.total - len(tasks)
    if left > 0 and not query.states:
        lines.append(f"{left} more (-n {job.tasks.total})")
    return lines
