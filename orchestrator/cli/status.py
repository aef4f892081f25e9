"""`orch status`: the jobs, or one of them."""

from __future__ import annotations

import click

from orchestrator.cli.session import Session, now, with_session
from orchestrator.client.client import Client
from orchestrator.client.select import select
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.errors import fault_lines
from orchestrator.render.jobs import counts_line, job_detail, jobs_table
from orchestrator.render.plan import diagnosis_lines


@click.command(
    "status",
    epilog="""\b
Examples:
  orch status            what waits and runs
  orch status -a         finished jobs too
  orch status last       one job in detail""",
)
@click.argument("selectors", metavar="[JOB]...", nargs=-1)
@click.option("-a", "--all", "every", is_flag=True, help="Finished jobs too.")
@with_session
def command(session: Session, *, selectors: tuple[str, ...], every: bool) -> int:
    """List jobs, or show some in detail."""
    with Client.connect(session.folder) as client:
        if selectors:
            _show(session, [select(client, selector) for selector in selectors])
        else:
            _list(session, client.jobs(every=True), every=every)
    return 0


def _list(session: Session, jobs: tuple[JobView, ...], *, every: bool) -> None:
    shown = [job for job in jobs if every or not job.state.final]
    if session.as_json:
        session.answer("status", {"jobs": [job.document for job in shown]})
    elif session.quiet:
        session.write_all(str(job.id) for job in shown)
    else:
        session.write_all(jobs_table(shown, now()))
        session.talk.say(counts_line(jobs, shown))


def _show(session: Session, jobs: list[JobView]) -> None:
    if session.as_json:
        session.answer("status", {"jobs": [job.document for job in jobs]})
    elif session.quiet:
        session.write_all(str(job.id) for job in jobs)
    else:
        for job in jobs:
            session.write_all(_detail(job))


def _detail(job: JobView) -> list[str]:
    lines = job_detail(job, now())
    if job.diagnosis is not None and job.state is State.PENDING:
        lines += diagnosis_lines(job.diagnosis)
    for fault in job.faults:
        lines += fault_lines(fault)
    return lines
