"""Why a GPU cannot take a replica: one small question each, asked in this order.

A filter looks at a `Candidate` and answers with a clause for people, or with nothing if
it has no objection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeAlias

from orchestrator.scheduling.available import available_if_evicted
from orchestrator.scheduling.gpu_type import matches
from orchestrator.scheduling.plan import Demand, Reason, Refusal
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.snapshot import Gpu, Reservation
from orchestrator.units import MIB, format_gib, format_memory

_UNSEEN_BYTES = 64 * MIB
"""Memory without a known owner below this is rounding, and not worth a word."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A GPU, and what would be asked of it."""

    gpu: Gpu
    reservations: tuple[Reservation, ...]
    needed_bytes: int
    headroom_bytes: int
    exclude: Collection[str] = ()
    gpu_type: tuple[str, ...] = ()
    share: bool = False
    job: str = ""

    @classmethod
    def of(
        cls,
        gpu: Gpu,
        reservations: tuple[Reservation, ...],
        demand: Demand,
        policy: Policy,
    ) -> Candidate:
        """A GPU as a replica of this demand would find it."""
        return cls(
            gpu=gpu,
            reservations=reservations,
            needed_bytes=demand.reserve_bytes,
            headroom_bytes=policy.headroom_bytes(gpu),
            exclude=demand.exclude,
            gpu_type=demand.gpu_type,
            share=demand.share,
            job=demand.job,
        )

    @property
    def idle(self) -> tuple[Reservation, ...]:
        """Engines kept alive on it: they go when the memory is wanted."""
        return tuple(r for r in self.reservations if r.idle)

    @property
    def busy(self) -> tuple[Reservation, ...]:
        """Replicas of running jobs on it."""
        return tuple(r for r in self.reservations if not r.idle)

    @property
    def available_bytes(self) -> int:
        """What it could promise at most, all idle engines gone."""
        gpu, headroom = self.gpu, self.headroom_bytes
        return available_if_evicted(gpu, self.reservations, headroom)


Filter: TypeAlias = Callable[[Candidate], str | None]


def excluded(candidate: Candidate) -> str | None:
    """The job file names it under `resources.exclude`."""
    named = {candidate.gpu.name, candidate.gpu.uuid} & set(candidate.exclude)
    return "excluded by the job" if named else None


def wrong_type(candidate: Candidate) -> str | None:
    """The job file asks for others under `resources.gpu_type`."""
    gpu, wanted = candidate.gpu, candidate.gpu_type
    if matches(wanted, gpu.model, gpu.compute):
        return None
    capability = f" (cc {gpu.compute // 10}.{gpu.compute % 10})" if gpu.compute else ""
    return f"it is {gpu.model}{capability}, and the job asks for {' or '.join(wanted)}"


def too_small(candidate: Candidate) -> str | None:
    """It could not hold the replica even if nothing else were on it."""
    usable = candidate.gpu.total_bytes - candidate.headroom_bytes
    if usable >= candidate.needed_bytes:
        return None
    total = format_gib(candidate.gpu.total_bytes)
    return f"too small: {format_gib(usable)} of {total} GiB usable, " + _needed(
        candidate.needed_bytes, usable
    )


def unhealthy(candidate: Candidate) -> str | None:
    """It, or its node, says that it must not be used."""
    problem = candidate.gpu.problem
    return f"unhealthy: {problem}" if problem else None


def busy(candidate: Candidate) -> str | None:
    """Running jobs hold it, and do not share it or leave too little."""
    if not candidate.busy:
        return None
    if candidate.job and candidate.job in {held.job for held in candidate.busy}:
        return "it has a replica of this job"
    shared = candidate.share and all(held.shared for held in candidate.busy)
    if shared and candidate.available_bytes >= candidate.needed_bytes:
        return None
    return f"{_amounts(candidate)}; held by {_holders(candidate)}"


def foreign_use(candidate: Candidate) -> str | None:
    """Programs that are not ours leave too little free."""
    if candidate.available_bytes >= candidate.needed_bytes:
        return None
    return f"{_amounts(candidate)}; held by {_holders(candidate)}"


FILTERS: tuple[tuple[Reason, Filter], ...] = (
    (Reason.EXCLUDED, excluded),
    (Reason.WRONG_TYPE, wrong_type),
    (Reason.TOO_SMALL, too_small),
    (Reason.UNHEALTHY, unhealthy),
    (Reason.BUSY, busy),
    (Reason.FOREIGN_USE, foreign_use),
)


def refuse(candidate: Candidate) -> Refusal | None:
    """The first objection; those that waiting cannot cure come first."""
    for reason, objection in FILTERS:
        detail = objection(candidate)
        if detail is not None:
            return refusal(candidate, reason, detail)
    return None


def part_objection(candidate: Candidate) -> Refusal | None:
    """Why it cannot take a part of a replica that is cut, if it would need that.

    What it is short of for the whole is only told if it is not this GPU's size.
    """
    nothing = refuse(replace(candidate, needed_bytes=0))
    usable = candidate.gpu.total_bytes - candidate.headroom_bytes
    if nothing is not None or candidate.available_bytes >= candidate.needed_bytes:
        return nothing and refusal(candidate, nothing.reason, nothing.detail)
    if candidate.available_bytes < usable:
        return refusal(candidate, Reason.FOREIGN_USE, foreign_use(candidate) or "")
    return refuse(candidate)


def ever_fits(candidate: Candidate) -> bool:
    """Whether it could take the replica if nothing else were on it."""
    return not any(cure(candidate) for cure in (excluded, wrong_type, too_small))


def refusal(candidate: Candidate, reason: Reason, detail: str) -> Refusal:
    """A refusal with the candidate's numbers."""
    return Refusal(
        gpu=candidate.gpu,
        reason=reason,
        needed_bytes=candidate.needed_bytes,
        available_bytes=max(0, candidate.available_bytes),
        detail=detail,
    )


def _amounts(candidate: Candidate) -> str:
    room = max(0, candidate.available_bytes)
    total = format_gib(candidate.gpu.total_bytes)
    return f"{format_gib(room)} of {total} GiB available, " + _needed(
        candidate.needed_bytes, room
    )


def _needed(needed_bytes: int, room_bytes: int) -> str:
    needed = f"{format_gib(needed_bytes)} needed"
    short = needed_bytes - room_bytes
    if short <= 0:
        return needed
    whole_mib = -(-short // MIB) * MIB
    return f"{needed}, short by {format_memory(whole_mib)}"


def _holders(candidate: Candidate) -> str:
    ours = [f"{r.holder} ({format_memory(r.reserved_bytes)})" for r in candidate.busy]
    others = [
        f"pid {owner.pid} ({owner.name} of {owner.user}, "
        f"{format_memory(owner.used_bytes)})"
        for owner in candidate.gpu.owners
    ]
    unseen = _unseen_bytes(candidate)
    if unseen >= _UNSEEN_BYTES:
        others.append(f"unknown processes ({format_memory(unseen)})")
    return " and ".join(ours + others) or "programs that do not show themselves"


def _unseen_bytes(candidate: Candidate) -> int:
    gpu = candidate.gpu
    known = sum(owner.used_bytes for owner in gpu.owners)
    known += sum(r.used_bytes for r in candidate.reservations)
    return gpu.total_bytes - gpu.free_bytes - known
