"""`orch up`: start the controller."""

from __future__ import annotations

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.fleet_views import Health
from orchestrator.client.start import connect_or_start
from orchestrator.render.table import pairs


@click.command(
    "up",
    epilog="""\b
Examples:
  orch up
  orch up --config cluster.yaml""",
)
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False), help="A cluster.yaml."
)
@with_session
def command(session: Session, *, config: str | None) -> int:
    """Start Ray and the controller, and say where they are."""
    options = [] if config is None else ["--config", config]
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        session.progress(line)

    with connect_or_start(session.folder, hear, options) as client:
        health = client.health()
        _answer(session, client, health)
    if not said:
        ignored = f"; {' '.join(options)} changes nothing" if options else ""
        session.talk.say(f"was running already{ignored}")
    return 0


def _answer(session: Session, client: Client, health: Health) -> None:
    if session.as_json:
        session.answer("up", {"url": client.url, **health.document})
    elif session.quiet:
        session.write(client.url)
    else:
        session.write_all(
            pairs(
                (
                    ("CONTROLLER", f"{client.url}  (pid {health.pid})"),
                    ("RAY", health.ray_address),
                    ("DASHBOARD", health.dashboard or "-"),
                    ("NODES", ", ".join(health.nodes)),
                )
            )
        )
