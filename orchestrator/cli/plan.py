"""`orch plan`: what would happen, and why."""

from __future__ import annotations

from pathlib import Path
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
from orchestrator.render.plan import diagnosis_lines, plan_table
from orchestrator.scheduling.decide import NOT_YET, only_cut
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.spec.checked import CheckedJob, checked
from orchestrator.spec.cluster import load_cluster


@click.command(
    "plan",
    epilog="""\b
Examples:
  orch plan jobs/embed.yaml
  orch plan jobs/embed.yaml --set resources.gpu_memory=20GiB
  orch plan jobs/embed.yaml --assume-idle
  orch plan jobs/embed.yaml --cluster jobs/clusters/two_boxes.yaml
  orch plan jobs/embed.yaml --json | jq .data.plan.reason

\b
Exit codes: 0 there is a place for it now, 4 it must wait, 5 it can never fit.""",
)
@click.argument("file")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change one field of the job file; may be repeated.",
)
@click.option(
    "--cluster",
    type=click.Path(path_type=Path),
    metavar="CLUSTER.yaml",
    help="Plan for the cluster that this file describes.",
)
@click.option(
    "--assume-idle",
    is_flag=True,
    help="As if no job and no other program were on the GPUs.",
)
@with_session
def command(
    session: Session,
    *,
    file: str,
    settings: tuple[str, ...],
    cluster: Path | None,
    assume_idle: bool,
) -> int:
    """Say what would happen to a job file, and why. Nothing is queued."""
    job = checked(read_job(file, settings))
    request = {**job_request(job), "assume_idle": assume_idle}
    if cluster is None:
        answer = _ask(session, request)
    else:
        request["cluster"] = load_cluster(cluster).model_dump(mode="json")
        answer = plan_alone(session.folder, request, session.progress)
    plan = plan_from_json(answer)
    if session.as_json:
        session.answer("plan", answer)
    else:
        session.talk.say(headline(job))
        _say_what_for(session, cluster, assume_idle=assume_idle)
        _show(session, job, plan)
    return _exit_code(plan)


def _ask(session: Session, request: dict[str, Any]) -> dict[str, Any]:
    try:
        with Client.connect(session.folder) as client:
            return client.plan(request)
    except OrchError as error:
        if error.fault.code is not Code.CONTROLLER_UNREACHABLE:
            raise
    session.talk.say("no controller is running: this is for this machine alone")
    return plan_alone(session.folder, request, session.progress)


def _say_what_for(session: Session, cluster: Path | None, *, assume_idle: bool) -> None:
    where = f"for the cluster of {cluster}" if cluster else "for this cluster"
    if assume_idle:
        session.talk.say(f"{where}, as if nothing else were on it")
    elif cluster:
        session.talk.say(where)


def _show(session: Session, job: CheckedJob, plan: Plan | Diagnosis) -> None:
    if isinstance(plan, Plan):
        session.write_all(plan_table(plan, job.model))
    else:
        session.write_all(diagnosis_lines(plan))
    if only_cut(plan):
        session.talk.warn(f"orch submit would refuse it: {NOT_YET}")


def _exit_code(plan: Plan | Diagnosis) -> int:
    if isinstance(plan, Plan):
        return EXIT_OK
    return EXIT_NOT_NOW if plan.ever else EXIT_NEVER
