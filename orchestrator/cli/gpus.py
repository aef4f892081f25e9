"""`orch gpus`: every GPU, and who holds it."""

from __future__ import annotations

import sys

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.render.gpus import gpus_table


@click.command(
    "gpus",
    epilog="""\b
Examples:
  orch gpus
  orch gpus --json | jq '.data.gpus[].free_bytes'""",
)
@with_session
def command(session: Session) -> int:
    """Show every GPU: memory, promises, who holds it.

    PLACEABLE is what a new job could have: what is free now, minus what is
    promised and not used yet. Idle engines go as soon as their memory is wanted.
    """
    with Client.connect(session.folder) as client:
        view = client.gpus()
    if session.as_json:
        session.answer("gpus", view.document)
    elif session.quiet:
        session.write_all(gpu.name for gpu in view.gpus)
    else:
        session.write_all(gpus_table(view, bars=sys.stdout.isatty()))
    return 0
