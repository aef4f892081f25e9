"""Why a job waits: a tier for programs, a sentence for people, its numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from orchestrator.scheduling.plan import Diagnosis, Reason, Refusal
from orchestrator.scheduling.snapshot import Uuid
from orchestrator.units import format_gib, format_memory


class Tier(StrEnum):
    """Why a job waits. What stands first is told first."""

    NEVER_FITS = "never_fits"
    """Not even on the idle cluster; nothing but another cluster helps."""
    HELD = "held"
    """Somebody holds it back."""
    DEPENDENCY = "dependency"
    """A job that it comes after has not ended."""
    NOT_BEFORE = "not_before"
    """Its next attempt has its time."""
    LIMIT = "limit"
    """As many tasks of its array run as may."""
    FRAGMENTED = "fragmented"
    """There is memory enough, but not on one GPU."""
    BUSY = "busy"
    """Other jobs of ours, or a fault, keep GPUs or nodes from it."""
    FOREIGN_USE = "foreign_use"
    """Programs that are not ours hold the memory."""
    ORDER = "order"
    """Jobs before it wait, and it would delay them."""
    EVALUATING = "evaluating"
    """Nobody has looked yet."""


@dataclass(frozen=True, slots=True)
class Waits:
    """One reason why a job waits."""

    tier: Tier
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """An entry of a job's `waiting`."""
        return {"tier": str(self.tier), "text": self.text, "data": dict(self.data)}


Until = Mapping[Uuid, tuple[str, float | None]]
"""Of a GPU: which job holds it, and the POSIX time until which, if that is known."""


def in_order(waits: Collection[Waits]) -> tuple[Waits, ...]:
    """The reasons, those of the first tiers first."""
    tiers = list(Tier)
    return tuple(sorted(waits, key=lambda reason: tiers.index(reason.tier)))


# --- reasons the controller knows -----------------------------------------------------


def held(reason: str) -> Waits:
    """Somebody holds it back."""
    return Waits(Tier.HELD, f"held: {reason}", {"reason": reason})


def dependency(job: str, when: str, state: str) -> Waits:
    """It comes after a job that has not ended.

    Args:
        job: That job's key.
        when: `ok`, `any` or `fail`.
        state: Where that job stands.
    """
    wanted = {"ok": "succeeded", "any": "ended", "fail": "failed"}[when]
    text = f"starts when job {job} has {wanted}; it is {state}"
    return Waits(Tier.DEPENDENCY, text, {"job": job, "when": when, "state": state})


def not_before(at: float, attempt: int) -> Waits:
    """Its next attempt has its time, in POSIX seconds."""
    text = f"attempt {attempt} is due at {clock(at)}"
    return Waits(Tier.NOT_BEFORE, text, {"at": instant(at), "attempt": attempt})


def limit(array: str, running: int, most: int) -> Waits:
    """As many tasks of its array run as may."""
    text = f"{running} of at most {most} tasks of job {array} run (array.max_parallel)"
    return Waits(Tier.LIMIT, text, {"job": array, "running": running, "limit": most})


def order(position: int, behind: str, at: float | None = None) -> Waits:
    """A job before it waits.

    Args:
        position: In the queue, from 1.
        behind: The key of the job that must not be delayed.
        at: When that one starts at the latest, in POSIX seconds, if that is known.
    """
    when = f", which starts by {clock(at)}" if at is not None else ""
    text = f"position {position} in the queue, behind job {behind}{when}"
    data = {"position": position, "behind": behind, "at": instant(at)}
    return Waits(Tier.ORDER, text, data)


EVALUATING = Waits(Tier.EVALUATING, "it is about to be looked at")


# --- reasons that a diagnosis gives ---------------------------------------------------


def reasons(diagnosis: Diagnosis, until: Until) -> tuple[Waits, ...]:
    """Why there is no place: one reason for each tier that has one.

    Args:
        diagnosis: The scheduler's.
        until: Who holds which GPU and how long.
    """
    if not diagnosis.ever:
        text = f"can never run on this cluster: {diagnosis.summary}"
        return (Waits(Tier.NEVER_FITS, text, _needed(diagnosis)),)
    found = (
        _fragmented(diagnosis),
        _busy(diagnosis, until),
        _foreign(diagnosis),
    )
    waits = tuple(reason for reason in found if reason is not None)
    return waits or (Waits(Tier.BUSY, diagnosis.summary, _needed(diagnosis)),)


def _needed(diagnosis: Diagnosis) -> dict[str, Any]:
    demand = diagnosis.demand
    return {"needed_bytes": demand.reserve_bytes, "gpus": demand.minimum}


def _of(diagnosis: Diagnosis, *wanted: Reason) -> list[Refusal]:
    return [r for r in diagnosis.refusals if r.reason in wanted]


def _fragmented(diagnosis: Diagnosis) -> Waits | None:
    total = sum(r.available_bytes for r in _of(diagnosis, Reason.FOREIGN_USE))
    needed = diagnosis.demand.reserve_bytes
    missing = diagnosis.demand.minimum - diagnosis.able
    if not total or total < needed * missing:
        return None
    text = (
        f"{format_gib(total)} GiB could be had in all, "
        f"but on no GPU the {format_gib(needed)} GiB of a replica"
    )
    return Waits(
        Tier.FRAGMENTED, text, {**_needed(diagnosis), "available_bytes": total}
    )


def _busy(diagnosis: Diagnosis, until: Until) -> Waits | None:
    refusals = _of(diagnosis, Reason.BUSY, Reason.UNHEALTHY)
    if not refusals:
        return None
    shown = [_holder(refusal, until) for refusal in refusals]
    clauses = [f"{entry['gpu']} ({entry['text']})" for entry in shown]
    return Waits(
        Tier.BUSY,
        f"not free: {', '.join(clauses)}",
        {**_needed(diagnosis), "held": shown},
    )


def _holder(refusal: Refusal, until: Until) -> dict[str, Any]:
    gpu = refusal.gpu
    job, at = until.get(gpu.uuid, ("", None))
    text = gpu.problem or (f"job {job}" if job else "an engine that is ending")
    if at is not None and not gpu.problem:
        text += f" until {clock(at)} at the latest"
    return {"gpu": gpu.name, "job": job or None, "until": instant(at), "text": text}


def _foreign(diagnosis: Diagnosis) -> Waits | None:
    refusals = _of(diagnosis, Reason.FOREIGN_USE)
    if not refusals:
        return None
    clauses = [f"{refusal.gpu.name} ({_owners(refusal)})" for refusal in refusals]
    held_by = [
        {"gpu": refusal.gpu.name, "pid": o.pid, "user": o.user, "bytes": o.used_bytes}
        for refusal in refusals
        for o in refusal.gpu.owners
    ]
    text = f"used by other programs: {', '.join(clauses)}"
    return Waits(Tier.FOREIGN_USE, text, {**_needed(diagnosis), "held": held_by})


def _owners(refusal: Refusal) -> str:
    owners = [
        f"pid {o.pid}, {o.name} of {o.user}, {format_memory(o.used_bytes)}"
        for o in refusal.gpu.owners
    ]
    short = refusal.needed_bytes - refusal.available_bytes
    who = "; ".join(owners) or "they do not show themselves"
    return f"{who}; {format_memory(max(0, short))} short"


# --- nodes ----------------------------------------------------------------------------


def never_fits_node(cpus: float, memory_bytes: int, largest: Sequence[str]) -> Waits:
    """No node is large enough, even when it is idle."""
    what = node_need(cpus, memory_bytes)
    text = f"can never run on this cluster: it needs {what}; {', '.join(largest)}"
    data = {"cpus": cpus, "memory_bytes": memory_bytes}
    return Waits(Tier.NEVER_FITS, text, data)


def busy_nodes(cpus: float, memory_bytes: int, rooms: Sequence[str]) -> Waits:
    """Every node that is large enough is in use."""
    text = f"it needs {node_need(cpus, memory_bytes)}; now free: {', '.join(rooms)}"
    return Waits(Tier.BUSY, text, {"cpus": cpus, "memory_bytes": memory_bytes})


def node_need(cpus: float, memory_bytes: int) -> str:
    """`2 cores and 4.0 GiB`."""
    cores = f"{cpus:g} core" if cpus == 1 else f"{cpus:g} cores"
    return f"{cores} and {format_memory(memory_bytes)}" if memory_bytes else cores


# --- time -----------------------------------------------------------------------------


def clock(at: float) -> str:
    """`10:42 UTC` of POSIX seconds."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M} UTC"


def instant(at: float | None) -> str | None:
    """RFC 3339 of POSIX seconds."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
