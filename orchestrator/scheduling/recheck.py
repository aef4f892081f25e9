"""A plan is a proposal: whoever owns the GPUs checks it on their newest reports."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.scheduling.available import available_without
from orchestrator.scheduling.filters import Candidate, refusal, refuse
from orchestrator.scheduling.plan import Demand, Placement, Plan, Reason, Refusal
from orchestrator.scheduling.policy import DEFAULT
from orchestrator.scheduling.snapshot import Gpu, Reservation, Snapshot


def recheck(plan: Plan, snapshot: Snapshot) -> Refusal | None:
    """The first reason why the plan no longer holds, which refuses it whole; or `None`.

    Headroom is not asked for again: it is what may be lost between a plan and its
    lease. No promise is made twice all the same.

    Args:
        plan: What `schedule` proposed.
        snapshot: Newer than the plan, without the plan's own reservations.
    """
    gpus = {gpu.uuid: gpu for gpu in snapshot.gpus}
    held = snapshot.by_gpu()
    for placement in plan.placements:
        uuid = placement.gpu.uuid
        current = _as_now(placement, gpus.get(uuid), held.get(uuid, ()), plan.demand)
        objection = _objection(placement, current)
        if objection is not None:
            return objection
    return None


def _as_now(
    placement: Placement,
    current: Gpu | None,
    held: tuple[Reservation, ...],
    demand: Demand,
) -> Candidate:
    gone = replace(placement.gpu, free_bytes=0, problem="it is gone")
    candidate = Candidate.of(current or gone, held, demand, DEFAULT)
    needed = placement.reserve_bytes
    return replace(candidate, needed_bytes=needed, headroom_bytes=0)


def _objection(placement: Placement, candidate: Candidate) -> Refusal | None:
    return (
        _warm_is_gone(candidate, placement)
        or refuse(candidate)
        or _idle_in_the_way(candidate, placement)
    )


def _warm_is_gone(candidate: Candidate, placement: Placement) -> Refusal | None:
    if not placement.warm or placement.warm in {r.engine for r in candidate.idle}:
        return None
    detail = f"its warm engine {placement.warm} is gone or taken"
    return refusal(candidate, Reason.BUSY, detail)


def _idle_in_the_way(candidate: Candidate, placement: Placement) -> Refusal | None:
    going = {placement.warm, *placement.evict}
    leaving = [r for r in candidate.idle if r.engine in going]
    room = available_without(candidate.gpu, candidate.reservations, 0, leaving)
    if room >= candidate.needed_bytes:
        return None
    stay = [r.engine for r in candidate.idle if r.engine not in going]
    detail = f"{', '.join(stay)} must go first, which the plan does not say"
    return refusal(candidate, Reason.BUSY, detail)
