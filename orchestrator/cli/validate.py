"""`orch validate`: is a job file right?"""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.jobfile import read_jobs
from orchestrator.cli.session import Session, with_session
from orchestrator.render.table import table
from orchestrator.spec.array import task_count
from orchestrator.spec.load import LoadedJob


@click.command(
    "validate",
    epilog="""\b
Examples:
  orch validate job.yaml
  orch validate jobs/*.yaml --json
  generate-job | orch validate -""",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@with_session
def command(session: Session, /, *, files: tuple[str, ...]) -> int:
    """Check job files (or - for stdin), and the files they name. Nothing is queued.

    All mistakes are told at once, with their places; then the exit code is 2.
    """
    jobs = read_jobs(files)
    if session.as_json:
        session.answer("validate", {"jobs": [_facts(loaded) for loaded in jobs]})
    elif not session.quiet:
        rows = [[str(fact or "-") for fact in _facts(job).values()] for job in jobs]
        session.write_all(table(("FILE", "NAME", "KIND", "TASKS"), rows, {"TASKS"}))
    return 0


def _facts(loaded: LoadedJob) -> dict[str, Any]:
    job = loaded.job
    return {
        "path": str(loaded.path),
        "name": job.name,
        "kind": job.kind,
        "tasks": task_count(job),
    }
