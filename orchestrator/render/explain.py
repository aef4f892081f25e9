"""Why a job is where it is: its state, its reasons, its story, and the ways out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.client.story import StoryEvent
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.detail import attempt_text, returned_text
from orchestrator.render.errors import fault_lines
from orchestrator.render.jobs import gpus_text
from orchestrator.render.plan import diagnosis_lines, plan_table
from orchestrator.render.table import pairs
from orchestrator.render.waiting import waiting_lines
from orchestrator.render.words import clock, counted

Items = list[tuple[str, str]]

_DECISIVE = ("cancel_requested", "dependency_failed")
"""Events that end a job without a fault."""


def explain_lines(job: JobView, story: Sequence[StoryEvent]) -> list[str]:
    """The job, why it is where it is, then its story, and what may be tried."""
    items: Items = [
        ("JOB", f"{job.key} '{job.name}' ({job.kind})"),
        ("STATE", _state(job)),
        *_cause(job, story),
        *waiting_lines(job),
        *_attempts(job),
        *_where(job),
        *_logs(job),
        *_story(story),
        *_hints(job),
    ]
    return [*pairs(items), *_placement(job)]


def _state(job: JobView) -> str:
    ran = job.state.final and job.state is not State.SKIPPED
    tried = f" after {counted(job.attempt, 'attempt')}" if ran else ""
    place = "" if job.position is None else f", position {job.position} in the queue"
    return f"{job.state}{tried}{place}"


def _cause(job: JobView, story: Sequence[StoryEvent]) -> Items:
    lines = [line for fault in job.faults for line in _fault(job, fault_lines(fault))]
    if not lines and job.cause and job.state is not State.SUCCEEDED:
        cause = job.cause.replace("_", " ")
        told = [event.text for event in story if event.event in _DECISIVE]
        lines = [": ".join((cause, *told[-1:]))]
    return [("" if n else "CAUSE", line) for n, line in enumerate(lines)]


def _fault(job: JobView, lines: list[str]) -> list[str]:
    where = f"  ({job.cause})" if job.cause else ""
    headline = lines[0].removeprefix("error[").replace("]:", ":", 1)
    # The way out is among the hints.
    return [
        headline + where,
        *(line for line in lines[1:] if not line.startswith("  fix: ")),
    ]


def _attempts(job: JobView) -> Items:
    texts = [attempt_text(attempt) for attempt in job.attempts]
    return [("" if n else "ATTEMPTS", text) for n, text in enumerate(texts)]


def _where(job: JobView) -> Items:
    items: Items = []
    if job.plan is not None:
        names = gpus_text(placed.gpu.name for placed in job.plan.placements)
        items.append(("WHERE", f"{names}: {job.plan.reason}"))
    if job.command is not None and job.command.node:
        pid = f", pid {job.command.pid}" if job.command.pid else ""
        items.append(("WHERE", f"node {job.command.node}{pid}"))
    if job.returned:
        items.append(("RETURNED", returned_text(job)))
    return items


def _logs(job: JobView) -> Items:
    return [("LOG", job.logs)] if job.logs else []


def _story(story: Sequence[StoryEvent]) -> Items:
    lines: list[str] = []
    day: datetime | None = None
    for event in story:
        at = event.at.astimezone()
        if day is None or at.date() != day.date():
            lines.append(f"{at:%Y-%m-%d}")
            day = at
        state = f"  [{event.state}]" if event.state else ""
        lines.append(f"{clock(at)}  {event.text or event.event}{state}")
        lines += [f"          → {does}" for does in event.does]
    return [("" if n else "STORY", line) for n, line in enumerate(lines)]


def _hints(job: JobView) -> Items:
    hints = [fault.fix for fault in job.faults if fault.fix]
    key = job.key
    if job.tasks is not None:
        hints.append(f"orch status {key}   its tasks; orch explain {key}.0 one of them")
    ran = job.state.final and job.started_at is not None
    if ran and job.command is not None and job.tasks is None:
        hints.append(f"orch logs {key} --tail 20   what it wrote last")
    if job.state is State.PENDING:
        hints.append(f"orch cancel {key}   take it out of the queue")
    elif not job.state.final and job.tasks is None:
        hints.append(f"orch logs -f {key}   see what it does")
    elif job.state is not State.SUCCEEDED:
        hints.append(f"orch retry {key}   once more; what is finished is kept")
    return [("" if n else "TRY", hint) for n, hint in enumerate(hints)]


def _placement(job: JobView) -> list[str]:
    if job.diagnosis is not None and job.state is State.PENDING:
        return ["", *diagnosis_lines(job.diagnosis)]
    if job.plan is not None and not job.state.final:
        return ["", *plan_table(job.plan, job.model)]
    return []
