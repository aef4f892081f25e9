"""`orch down`: stop the controller."""

from __future__ import annotations

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.start import stop


@click.command(
    "down",
    epilog="""\b
Examples:
  orch down
  orch down --json""",
)
@with_session
def command(session: Session) -> int:
    """Stop the controller and the Ray it started.

    Processes are stopped by their ids; any other Ray on this machine is left alone.
    Jobs that are not finished go on at the next start; no finished row runs again.
    """
    stopped = stop(session.folder, session.progress)
    if session.as_json:
        session.answer("down", {"stopped": stopped})
    for what in stopped:
        session.talk.say(f"stopped {what}")
    if not stopped:
        session.talk.say("nothing was running")
    return 0
