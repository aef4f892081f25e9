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
    Jobs that run are stopped with it; their finished rows are kept.
    """
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        session.progress(line)

    stop(session.folder, hear)
    if session.as_json:
        session.answer("down", {"stopped": said})
    elif not said:
        session.talk.say("nothing was running")
    return 0
