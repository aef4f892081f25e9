"""Why a job waits: in one clause, and tier by tier with the numbers."""

from __future__ import annotations

from orchestrator.client.known import instant
from orchestrator.client.parts import Waiting
from orchestrator.client.views import JobView
from orchestrator.lifecycle.states import State
from orchestrator.render.words import clock
from orchestrator.units import format_memory

_NUMBERS_SHOWN = 6
_SAID_BY_TEXT = ("at",)
"""Times, which the text has by the clock."""
_CLEAR = ("not_before",)
"""Tiers whose text needs no heading in a line."""


def waits_for(job: JobView) -> str:
    """The reason that counts, with the place in the queue; empty: it does not wait."""
    if job.state is not State.PENDING:
        return ""
    why = _first(job)
    place = "" if job.position is None else f"position {job.position}"
    return why if not place or place in why else f"{why}, {place}"


def waiting_lines(job: JobView) -> list[tuple[str, str]]:
    """A name and a text for each tier; the first is the one that counts."""
    width = max((len(item.tier) for item in job.waiting), default=0)
    lines = []
    for item in job.waiting:
        lines.append(f"{item.tier:<{width}}  {_text(item)}".rstrip())
        numbers = _numbers(item)
        if numbers:
            lines.append(f"{'':<{width}}  {numbers}")
    return [("" if n else "WAITING", line) for n, line in enumerate(lines)]


def _first(job: JobView) -> str:
    if job.waiting:
        first = job.waiting[0]
        tier = "" if first.tier in _CLEAR else f"{first.tier.replace('_', ' ')}: "
        return f"{tier}{_text(first)}"
    if job.diagnosis is not None:
        return job.diagnosis.summary
    return "waits for the jobs before it"


def _text(item: Waiting) -> str:
    """What is said of a tier; the time of an attempt by the user's own clock."""
    at = item.data.get("at")
    if item.tier != "not_before" or not isinstance(at, str):
        return item.text
    due = instant(at)
    attempt = item.data.get("attempt", "the next")
    return f"attempt {attempt} begins at {clock(due.astimezone())}" if due else ""


def _numbers(item: Waiting) -> str:
    """The plain values of a tier's data that its text does not say already."""
    told = _text(item)
    plain = {
        name: _value(name, value)
        for name, value in item.data.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
    untold = [
        f"{name.removesuffix('_bytes')}={value}"
        for name, value in plain.items()
        if item.data[name] and value not in told and name not in _SAID_BY_TEXT
    ]
    return " ".join(untold[:_NUMBERS_SHOWN])


def _value(name: str, value: str | float) -> str:
    if isinstance(value, str):
        return value
    return format_memory(int(value)) if name.endswith("_bytes") else f"{value:g}"
