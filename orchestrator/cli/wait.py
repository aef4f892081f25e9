"""`orch wait`: block until jobs are done."""

from __future__ import annotations

import threading
import time

import click

from orchestrator.cli.feed import Feed
from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.select import select
from orchestrator.client.views import JobView
from orchestrator.render.outcome import outcome_line, outcome_style
from orchestrator.units import parse_duration


class Duration(click.ParamType[float]):
    """`90s`, `15m`, `2h`: seconds."""

    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds, or a usage error."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(
    "wait",
    epilog="""\b
Examples:
  orch wait 42 && orch results 42 --head 3
  orch wait last --timeout 10m

\b
Exit codes: the job's outcome (0, 1, 7 cancelled, 10 lost, 11 rows failed);
8 if it is not finished in time. Of several jobs, the first that is not 0.""",
)
@click.argument("selectors", metavar="JOB...", nargs=-1, required=True)
@click.option("--timeout", type=Duration(), help="Give up after this long.")
@with_session
def command(
    session: Session, *, selectors: tuple[str, ...], timeout: float | None
) -> int:
    """Block until jobs are done; the exit code is the outcome."""
    patience_s = threading.TIMEOUT_MAX if timeout is None else timeout
    deadline = time.monotonic() + patience_s
    with Client.connect(session.folder) as client:
        jobs = [select(client, selector) for selector in selectors]
        ended = [_wait(client, job, deadline) for job in jobs]
    for job in ended:
        session.talk.say(_said(job), outcome_style(job))
    if session.as_json:
        session.answer("wait", {"jobs": [job.document for job in ended]})
    return next((job.exit_code for job in ended if job.exit_code), 0)


def _wait(client: Client, job: JobView, deadline: float) -> JobView:
    if job.state.final:
        return job
    feed = Feed(client, job.id)
    feed.start()
    while not job.state.final:
        event = feed.next(max(0.0, deadline - time.monotonic()))
        if event is None:
            break
        if isinstance(event, JobView):
            job = event
    return job


def _said(job: JobView) -> str:
    if job.state.final:
        return outcome_line(job)
    return f"Job {job.id} is still {job.state}"
