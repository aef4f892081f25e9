"""Why a job waits: in one clause, and tier by tier with the numbers."""

from __future__ import annotations

from orchestrator.client.parts import Waiting
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State

_NUMBERS_SHOWN = 6


def waits_for(job: JobView) -> str:
    """The reason that counts, with the place in the queue; empty: it does not wait."""
    if job.state is not State.PENDING:
        return ""
    why = _first(job)
    place = "" if job.position is None else f"position {job.position}"
    return ", ".join(part for part in (why, place) if part)


def waiting_lines(job: JobView) -> list[tuple[str, str]]:
    """A name and a text for each tier; the first is the one that counts."""
    width = max((len(item.tier) for item in job.waiting), default=0)
    lines = []
    for item in job.waiting:
        lines.append(f"{item.tier:<{width}}  {item.text}".rstrip())
        numbers = _numbers(item)
        if numbers:
            lines.append(f"{'':<{width}}  {numbers}")
    return [("" if n else "WAITING", line) for n, line in enumerate(lines)]


def _first(job: JobView) -> str:
    if job.waiting:
        return f"{job.waiting[0].tier.replace('_', ' ')}: {job.waiting[0].text}"
    if job.diagnosis is not None:
        return job.diagnosis.summary
    return "waits for the jobs before it"


def _numbers(item: Waiting) -> str:
    """The plain values of a tier's data that its text does not say already."""
    plain = (
        (name, value)
        for name, value in item.data.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    )
    untold = [f"{name}={value}" for name, value in plain if str(value) not in item.text]
    return " ".join(untold[:_NUMBERS_SHOWN])
