"""`orch logs`: what a job wrote."""

from __future__ import annotations

import re

import click

from orchestrator.cli.params import Duration
from orchestrator.cli.readlogs import LogQuery, follow, show
from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client
from orchestrator.client.logs import Start
from orchestrator.client.select import select_attempt

FOLLOWED_TAIL = 1000


class Rank(click.ParamType[int | None]):
    """A number, or `all`."""

    name = "rank"

    def convert(
        self,
        value: str | int,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int | None:
        """The rank; `None` for all of them."""
        if value != "all" and not str(value).isdecimal():
            self.fail(f"'{value}' is neither a number nor all", param, ctx)
        return None if value == "all" else int(value)


class Pattern(click.ParamType[re.Pattern[str]]):
    """A regular expression."""

    name = "regex"

    def convert(
        self,
        value: str | re.Pattern[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> re.Pattern[str]:
        """The compiled expression, or a usage error."""
        try:
            return re.compile(value)
        except re.error as error:
            self.fail(f"'{value}' is no regular expression: {error}", param, ctx)


@click.command(
    "logs",
    epilog="""\b
Examples:
  orch logs 42 --tail 20
  orch logs -f last             until the job has ended; exit code = outcome
  orch logs 42#1 -r 0 --raw     the first attempt, bytes as they were written
  orch logs 42 --grep 'loss='""",
)
@click.argument("selector", metavar="JOB")
@click.option("-f", "--follow", "following", is_flag=True, help="To the job's end.")
@click.option(
    "--tail",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"The last N lines; 0: all. Default: all; {FOLLOWED_TAIL} with -f.",
)
@click.option("--since", type=Duration(), metavar="TIME", help="Of the last 5m, say.")
@click.option("-r", "--rank", type=Rank(), metavar="N|all", help="Whose; default all.")
@click.option("--attempt", type=click.IntRange(min=1), help="Default: the newest.")
@click.option("--raw", is_flag=True, help="Bytes as they were written, no prefix.")
@click.option("--grep", "pattern", type=Pattern(), help="Only lines that match.")
@with_session
def command(  # noqa: PLR0913, RUF100
    session: Session,
    *,
    selector: str,
    following: bool,
    tail: int | None,
    since: float | None,
    rank: int | None,
    attempt: int | None,
    raw: bool,
    pattern: re.Pattern[str] | None,
) -> int:
    """Print a job's logs. With several ranks each line begins with [rank]."""
    if tail is None and following and since is None:
        tail = FOLLOWED_TAIL
    with Client.connect(session.folder) as client:
        selected = select_attempt(client, selector)
        query = LogQuery(
            selected.job,
            attempt or selected.attempt,
            rank,
            Start(tail or None, since),
            pattern,
            raw,
        )
        return (follow if following else show)(session, client, query)
