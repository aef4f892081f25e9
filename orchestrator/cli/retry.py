"""`orch retry`: once more, with what is finished kept."""

from __future__ import annotations

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client, RetryMode
from orchestrator.client.select import select


@click.command(
    "retry",
    epilog="""\b
Examples:
  orch retry 42
  orch retry 42 --failed-only     the rows, or the tasks, that failed
  orch retry last --from-scratch""",
)
@click.argument("selectors", metavar="JOB...", nargs=-1, required=True)
@click.option("--failed-only", is_flag=True, help="Only rows or tasks that failed.")
@click.option("--from-scratch", is_flag=True, help="Keep nothing of what is finished.")
@with_session
def command(
    session: Session,
    *,
    selectors: tuple[str, ...],
    failed_only: bool,
    from_scratch: bool,
) -> int:
    """Run jobs that have ended once more, as their next attempt, under their id."""
    if failed_only and from_scratch:
        raise click.UsageError("--failed-only and --from-scratch exclude each other.")
    mode: RetryMode = "failed" if failed_only else "resume"
    if from_scratch:
        mode = "scratch"
    again = []
    with Client.connect(session.folder) as client:
        for job in [select(client, selector) for selector in selectors]:
            after = client.retry(job.key, mode)
            again.append(after)
            session.talk.say(
                f"{after.label} '{after.name}' is {after.state} again, "
                f"attempt {after.attempt}"
            )
            if not session.as_json:
                session.write(str(after.key))
    if session.as_json:
        session.answer("retry", {"jobs": [job.document for job in again]})
    else:
        session.talk.say(f"  orch wait {again[0].key}", "dim")
    return 0
