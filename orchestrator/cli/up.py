"""`orch up`: start the controller."""

from __future__ import annotations

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.start import connect_or_start
from orchestrator.client.views import Health
from orchestrator.render.table import pairs


@click.command(
    "up",
    epilog="""\b
Examples:
  orch up
  orch up --config cluster.yaml
  orch up --address 10.0.0.5:6379     on a Ray cluster that is there""",
)
@click.option(
    "--config", type=click.Path(exists=True, dir_okay=False), help="A cluster.yaml."
)
@click.option("--address", help="Use the Ray cluster at this address.")
@with_session
def command(session: Session, *, config: str | None, address: str | None) -> int:
    """Start Ray and the controller, and say where they are."""
    given = (("--config", config), ("--address", address))
    options = [part for name, value in given if value for part in (name, value)]
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
