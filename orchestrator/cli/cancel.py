"""`orch cancel`: stop jobs."""

from __future__ import annotations

import sys
import threading
import time

import click

from orchestrator.cli.feed import Feed
from orchestrator.cli.params import Duration, States
from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.select import select
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.detail import returned_text
from orchestrator.render.words import clock, counted
from orchestrator.units import format_count, format_duration

_GRACE_SECONDS = 30.0
_AFTER_GRACE_SECONDS = 10.0
_MOST = 1000
"""How many jobs one `--all` takes."""


@click.command(
    "cancel",
    epilog="""\b
Examples:
  orch cancel 42
  orch cancel last --force --reason 'wrong model'
  orch cancel --state pending --yes""",
)
@click.argument("selectors", metavar="[JOB]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every job that is not over.")
@click.option("--state", "states", type=States(), help="All of these: pending, say.")
@click.option(
    "--grace", type=Duration(), metavar="TIME", help="From SIGTERM to SIGKILL."
)
@click.option("--force", is_flag=True, help="Kill; do not wait for rows on their way.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the job.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-d", "--detach", is_flag=True, help="Do not wait for the end.")
@with_session
def command(  # noqa: PLR0913, RUF100
    session: Session,
    *,
    selectors: tuple[str, ...],
    every: bool,
    states: tuple[State, ...] | None,
    grace: float | None,
    force: bool,
    reason: str,
    yes: bool,
    detach: bool,
) -> int:
    """Stop jobs; finished rows are kept. A job that has ended stays as it is."""
    if bool(selectors) == bool(every or states):
        raise click.UsageError("Name jobs, or give --all or --state.")
    with Client.connect(session.folder) as client:
        jobs = _meant(client, selectors, states or ())
        if not selectors and not yes:
            _confirm(jobs)
        stopped = []
        for job in jobs:
            after = client.cancel(job.key, force=force, grace_s=grace, reason=reason)
            _say_asked(session, job, after)
            stopped.append((job, after))
        if not detach:
            patience_s = (grace or _GRACE_SECONDS) + _AFTER_GRACE_SECONDS
            stopped = _to_their_end(session, client, stopped, patience_s)
    if session.as_json:
        session.answer("cancel", {"jobs": [after.document for _, after in stopped]})
    else:
        session.write_all(str(after.key) for before, after in stopped if _did(before))
    return 0


def _meant(
    client: Client, selectors: tuple[str, ...], states: tuple[State, ...]
) -> tuple[JobView, ...]:
    if selectors:
        return tuple(select(client, selector) for selector in selectors)
    found = client.jobs(every=False, states=states, limit=_MOST).jobs
    return tuple(job for job in found if not states or job.state in states)


def _confirm(jobs: tuple[JobView, ...]) -> None:
    if not jobs:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"This cancels {counted(len(jobs), 'job')}; pass --yes to do so."
        )
    click.confirm(f"Cancel {counted(len(jobs), 'job')}?", abort=True, err=True)


def _did(before: JobView) -> bool:
    return not before.state.final


def _say_asked(session: Session, job: JobView, after: JobView) -> None:
    if not job.state.final:
        kept = "; finished rows are kept" if job.progress.rows_ok else ""
        session.talk.say(f"Cancelling {job.label.lower()} '{job.name}'{kept} …")
        return
    at = after.finished_at
    when = "" if at is None else f" ({clock(at.astimezone())})"
    session.talk.say(f"{job.label} is already {job.state}{when}. Nothing to do.")


def _to_their_end(
    session: Session,
    client: Client,
    stopped: list[tuple[JobView, JobView]],
    patience_s: float,
) -> list[tuple[JobView, JobView]]:
    began = time.monotonic()
    newest = {after.key: after for _before, after in stopped}
    feed = Feed(client)
    for key, job in newest.items():
        if not job.state.final:
            feed.follow(key)
    while not all(job.state.final for job in newest.values()):
        left = began + patience_s - time.monotonic()
        event = feed.next(min(max(0.0, left), threading.TIMEOUT_MAX))
        if event is None:
            break
        if isinstance(event, JobView):
            newest[event.key] = event
    took = format_duration(time.monotonic() - began)
    for before, _asked in stopped:
        if _did(before):
            _say_ended(session, newest[before.key], took)
    return [(before, newest[before.key]) for before, _asked in stopped]


def _say_ended(session: Session, job: JobView, took: str) -> None:
    if not job.state.final:
        session.talk.warn(
            f"{job.label} is still {job.state}: orch cancel {job.key} --force"
        )
        return
    session.talk.say(f"{job.label} is {job.state}; stopped in {took}")
    if job.returned:
        session.talk.say(f"VRAM returned: {returned_text(job)}")
    kept = job.progress.rows_ok
    rows = f"   ({format_count(kept)} rows are kept)" if kept else ""
    session.talk.say(f"Resume: orch retry {job.key}{rows}", "dim")
