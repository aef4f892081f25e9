"""`orch explain`: why a job waits, runs where it runs, or failed."""

from __future__ import annotations

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.select import select
from orchestrator.render.explain import explain_lines


@click.command(
    "explain",
    epilog="""\b
Examples:
  orch explain 42
  orch explain 42.3
  orch explain last --json | jq '.data.events[].text'""",
)
@click.argument("selector", metavar="JOB")
@with_session
def command(session: Session, *, selector: str) -> int:
    """Say why a job waits, runs where it runs, or failed: its story line by line."""
    with Client.connect(session.folder) as client:
        job = select(client, selector)
        story = client.story(job.key)
    if session.as_json:
        events = [event.document for event in story]
        session.answer("explain", {"job": job.document, "events": events})
    elif session.quiet:
        session.write(str(job.key))
    else:
        session.write_all(explain_lines(job, story))
    return 0
