"""`orch cancel`: stop jobs."""

from __future__ import annotations

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.select import select


@click.command(
    "cancel",
    epilog="""\b
Examples:
  orch cancel 42
  orch cancel last --force""",
)
@click.argument("selectors", metavar="JOB...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Do not wait for the rows on their way.")
@with_session
def command(session: Session, *, selectors: tuple[str, ...], force: bool) -> int:
    """Stop jobs; finished rows are kept. A job that has ended stays as it is."""
    stopped = []
    with Client.connect(session.folder) as client:
        for job in [select(client, selector) for selector in selectors]:
            after = client.cancel(job.id, force=force)
            stopped.append(after)
            had_ended = "had already " if job.state.final else "is "
            session.talk.say(f"Job {job.id} '{job.name}' {had_ended}{after.state}")
    if session.as_json:
        session.answer("cancel", {"jobs": [job.document for job in stopped]})
    return 0
