"""`orch submit`: check, queue, follow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.flags import job_flags, overrides
from orchestrator.cli.headline import headline
from orchestrator.cli.params import ZeroDuration
from orchestrator.cli.session import Session, with_session
from orchestrator.client.check import check_quickly
from orchestrator.client.client import Client
from orchestrator.client.start import connect_if_there, connect_or_start
from orchestrator.client.submission import submit_all
from orchestrator.client.views import JobView
from orchestrator.render.paths import short_path
from orchestrator.render.words import shortened
from orchestrator.spec.checked import CheckedJob, checked

COMMAND_CELLS = 60
STDIN = "-"


@click.command(
    "submit",
    epilog="""\b
Examples:
  orch submit jobs/embed.yaml
  orch submit -d jobs/embed.yaml --set resources.gpus=1
  orch submit sweep.yaml --array 0-31%4 --after 41:any
  generate-job | orch submit - -o ./vectors""",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("-d", "--detach", is_flag=True, help="Print the id and return.")
@job_flags
@click.option(
    "--wait-start",
    type=ZeroDuration(),
    metavar="TIME",
    help="Wait at most so long for a place; 0: start now or exit with 4.",
)
@click.option(
    "--on-interrupt",
    type=click.Choice(["detach", "cancel"]),
    default="detach",
    help="What the first Ctrl-C does.",
)
@with_session
def command(
    session: Session,
    /,
    *,
    files: tuple[str, ...],
    detach: bool,
    wait_start: float | None,
    on_interrupt: str,
    **flags: Any,  # noqa: ANN401
) -> int:
    """Run job files (or - for stdin), and follow a single job to its end.

    The files are checked first, all of them; then the jobs are queued, and a
    controller is started if there is none. Ctrl-C detaches and the job goes on; twice
    cancels it. The exit code is the job's outcome. The path of the results goes to
    stdout; of a command, its output does. Of several jobs the ids are printed.
    """
    changes = overrides(flags)
    with ExitStack() as open_ones:
        there = connect_if_there(session.folder)
        if there is not None:
            open_ones.push(there)
        jobs = _checked(there, files, changes)
        client = there or open_ones.enter_context(
            connect_or_start(session.folder, session.progress)
        )
        if detach or len(jobs) > 1:
            return _queue(session, client, jobs, wait_start)
        (job,) = submit_all(client, jobs, wait_start_s=wait_start)
        session.talk.say(_headline(jobs[0], job))
        # What moves, and rich with it, is needed only from here on.
        from orchestrator.cli.attach import attach

        return attach(session, client, job, cancels=on_interrupt == "cancel")


def _checked(
    client: Client | None, files: Sequence[str], changes: tuple[str, ...]
) -> tuple[CheckedJob, ...]:
    """The jobs in all files; each stands after those that its `after` names.

    Raises:
        OrchError: E2xx, all that is wrong with them.
    """
    if client is not None and len(files) == 1 and files[0] != STDIN:
        found = check_quickly(client, Path(files[0]), changes)
        if found:
            return found
    # Pydantic and what stands on it: half of the time that a command may take.
    from orchestrator.cli.jobfile import read_jobs

    return tuple(map(checked, read_jobs(files, changes)))


def _queue(
    session: Session,
    client: Client,
    jobs: Sequence[CheckedJob],
    wait_start_s: float | None,
) -> int:
    queued: list[JobView] = []
    for job in submit_all(client, jobs, wait_start_s=wait_start_s):
        queued.append(job)
        # At once: what is queued has been said, whatever the next one meets.
        if not session.as_json:
            session.write(str(job.id))
    if session.as_json:
        documents = [job.document for job in queued]
        session.answer("submit", {"job": documents[0], "jobs": documents})
    elif session.talk.moves:
        session.talk.say(
            f"  orch wait {' '.join(str(job.id) for job in queued)}", "dim"
        )
    return 0


def _headline(asked: CheckedJob, job: JobView) -> str:
    if not asked.run:
        return headline(asked, short_path(job.output))
    # As it stands in the file: the controller has it as the first task has it.
    return "  ".join((str(asked.path), job.kind, shortened(asked.run, COMMAND_CELLS)))
