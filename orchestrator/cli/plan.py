"""`orch plan`: what would happen, and why."""

from __future__ import annotations

from typing import Any

import click

from orchestrator.cli.headline import headline
from orchestrator.cli.jobfile import read_job
from orchestrator.cli.session import Session, with_session
from orchestrator.client.client import Client, plan_from_json
from orchestrator.client.request import job_request
from orchestrator.client.start import plan_alone
from orchestrator.errors import (
    EXIT_NEVER,
    EXIT_NOT_NOW,
    EXIT_OK,
    Code,
    OrchError,
)
from orchestrator.render.errors import show_faults
from orchestrator.render.plan import diagnosis_lines, plan_table
from orchestrator.scheduling.diagnosis import diagnosis_fault
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.spec.checked import CheckedJob, checked


@click.command(
    "plan",
    epilog="""\b
Examples:
  orch plan jobs/embed.yaml
  orch plan jobs/embed.yaml --set resources.gpu_memory=20GiB
  orch plan jobs/embed.yaml --json | jq .data.plan.reason

\b
Exit codes: 0 it can start now, 4 it must wait, 5 it can never fit.""",
)
@click.argument("file")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change one field of the job file; may be repeated.",
)
@with_session
def command(session: Session, *, file: str, settings: tuple[str, ...]) -> int:
    """Say what would happen to a job file, and why. Nothing is queued."""
    job = checked(read_job(file, settings))
    answer = _ask(session, job_request(job))
    plan = plan_from_json(answer)
    if session.as_json:
        session.answer("plan", answer)
    else:
        _show(session, job, plan)
    return _exit_code(plan)


def _ask(session: Session, request: dict[str, Any]) -> dict[str, Any]:
    try:
        with Client.connect(session.folder) as client:
            return client.plan(request)
    except OrchError as error:
        if error.fault.code is not Code.CONTROLLER_UNREACHABLE:
            raise
    session.talk.say(
        "no controller is running: this is for this machine alone, as it is now"
    )
    return plan_alone(session.folder, request, session.progress)


def _show(session: Session, job: CheckedJob, plan: Plan | Diagnosis) -> None:
    session.talk.say(headline(job))
    if isinstance(plan, Plan):
        session.write_all(plan_table(plan, job.model))
    elif plan.ever:
        session.write_all(diagnosis_lines(plan))
    else:
        show_faults(session.talk, (diagnosis_fault(plan),))


def _exit_code(plan: Plan | Diagnosis) -> int:
    if isinstance(plan, Plan):
        return EXIT_OK
    return EXIT_NOT_NOW if plan.ever else EXIT_NEVER
