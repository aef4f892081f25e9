"""`orch history`: who used how many GPU-hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from orchestrator.cli.session import Session, now, with_session
from orchestrator.client.client import Client
from orchestrator.render.history import (
    BY,
    history_csv,
    history_table,
    shares,
    total_line,
)
from orchestrator.units import parse_duration


class Since(click.ParamType[str]):
    """`7d`, `2026-01-02` or `2026-01-02T03:04`: a point in time."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """RFC 3339 in UTC, or a usage error."""
        try:
            at = now() - timedelta(seconds=parse_duration(value))
        except (ValueError, OverflowError):
            try:
                at = datetime.fromisoformat(value).astimezone()
            except (ValueError, OverflowError):
                self.fail(f"'{value}'; write it like 7d or 2026-01-31", param, ctx)
        return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@click.command(
    "history",
    epilog="""\b
Examples:
  orch history --since 7d
  orch history --by model --csv > hours.csv
  orch history --by job --json | jq '.data.rows[0]'""",
)
@click.option("--since", type=Since(), metavar="TIME", help="7d, or 2026-01-31.")
@click.option(
    "--by", type=click.Choice(list(BY)), default="user", help="What to sum up by."
)
@click.option("--csv", "as_csv", is_flag=True, help="For a spreadsheet.")
@with_session
def command(session: Session, *, since: str | None, by: str, as_csv: bool) -> int:
    """Say who used how many GPU-hours: each GPU for as long as a job held it."""
    with Client.connect(session.folder) as client:
        summed = shares(client.history(since), by)
    if session.as_json:
        rows = [share.to_json() for share in summed]
        session.answer("history", {"by": by, "since": since, "rows": rows})
    elif as_csv:
        session.write(history_csv(summed, by).rstrip("\n"))
    elif session.quiet:
        session.write_all(share.name for share in summed)
    else:
        session.write_all(history_table(summed, by))
        session.talk.say(total_line(summed, since))
    return 0
