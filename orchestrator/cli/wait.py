"""`orch wait`: block until jobs are done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import click

from orchestrator.cli.feed import Feed
from orchestrator.cli.params import Duration
from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.select import select
from orchestrator.client.views import JobView
from orchestrator.errors import EXIT_NOT_FINISHED, EXIT_OK
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.render.outcome import outcome_line, outcome_style

Jobs = dict[JobKey, JobView]


@click.command(
    "wait",
    epilog="""\b
Examples:
  orch wait 42 && orch results 42 --head 3
  orch wait last --timeout 10m
  orch wait 42 43 --any
  orch wait 42 --for running

\b
Exit codes: the job's outcome (0, 1, 7 cancelled, 9 time limit, 10 lost, 11 rows
failed); 8 if it is not finished in time. Of several jobs, the first that is not 0;
with --any, that of the first to end.""",
)
@click.argument("selectors", metavar="JOB...", nargs=-1, required=True)
@click.option("--timeout", type=Duration(), metavar="TIME", help="Then give up: 10m.")
@click.option("--any", "first", is_flag=True, help="Until one of them is.")
@click.option(
    "--for",
    "until",
    type=click.Choice(["running", "done"]),
    default="done",
    help="Until they run, or have ended.",
)
@with_session
def command(
    session: Session,
    *,
    selectors: tuple[str, ...],
    timeout: float | None,
    first: bool,
    until: str,
) -> int:
    """Block until jobs are done; the exit code is the outcome."""
    reached = _has_ended if until == "done" else _has_begun
    patience_s = threading.TIMEOUT_MAX if timeout is None else timeout
    with Client.connect(session.folder) as client:
        jobs = {job.key: job for job in (select(client, text) for text in selectors)}
        deadline = time.monotonic() + patience_s
        _wait(client, jobs, reached, deadline, any if first else all)
    for job in jobs.values():
        session.talk.say(_said(job), outcome_style(job))
    if session.as_json:
        session.answer("wait", {"jobs": [job.document for job in jobs.values()]})
    return _exit_code(jobs, reached, first=first)


def _wait(
    client: Client,
    jobs: Jobs,
    reached: Callable[[JobView], bool],
    deadline: float,
    enough: Callable[[list[bool]], bool],
) -> None:
    """Keep `jobs` at what they are, until enough of them are there."""
    feed = Feed(client)
    for key, job in jobs.items():
        if not job.state.final:
            feed.follow(key)
    while not enough([reached(job) for job in jobs.values()]):
        event = feed.next(max(0.0, deadline - time.monotonic()))
        if event is None:
            return
        if isinstance(event, JobView):
            jobs[event.key] = event


def _exit_code(jobs: Jobs, reached: Callable[[JobView], bool], *, first: bool) -> int:
    there = [job for job in jobs.values() if reached(job)]
    if first:
        return _code(there[0]) if there else EXIT_NOT_FINISHED
    if len(there) < len(jobs):
        codes = [job.exit_code for job in jobs.values() if job.state.final]
        return next((code for code in codes if code), EXIT_NOT_FINISHED)
    return next((code for code in map(_code, there) if code), EXIT_OK)


def _code(job: JobView) -> int:
    """What it ended with; nothing is wrong with one that runs, if that was asked."""
    return job.exit_code if job.state.final else EXIT_OK


def _has_ended(job: JobView) -> bool:
    return job.state.final


def _has_begun(job: JobView) -> bool:
    return job.state not in (State.PENDING, State.LOADING)


def _said(job: JobView) -> str:
    if job.state.final:
        return outcome_line(job)
    return f"{job.label} is {'' if job.state is State.RUNNING else 'still '}{job.state}"
