"""What a GPU can offer a replica: a warm engine, or room, if need be by evictions."""

from __future__ import annotations

from orchestrator.scheduling.available import available_without, reclaimed
from orchestrator.scheduling.filters import Candidate
from orchestrator.scheduling.plan import Demand, Placement
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.snapshot import Reservation


def offer(candidate: Candidate, demand: Demand, policy: Policy) -> Placement:
    """How this GPU, which no filter refused, would take a replica.

    An idle engine of the same key is taken over if it still has its room; otherwise
    as few idle engines as possible go. The replica's number is set by the caller.
    """
    for engine in candidate.idle:
        if engine.engine_key == demand.engine_key:
            wanted = max(engine.reserved_bytes, demand.reserve_bytes)
            if _room(candidate, candidate.idle) >= wanted:
                return _warm(candidate, engine, wanted, policy)
    return _cold(candidate, demand, policy)


def _warm(
    candidate: Candidate, engine: Reservation, wanted: int, policy: Policy
) -> Placement:
    evicted = _evictions(candidate, (engine,), wanted, clear=policy.evict_all_idle)
    return _placement(candidate, wanted, engine, evicted)


def _cold(candidate: Candidate, demand: Demand, policy: Policy) -> Placement:
    clear = policy.evict_all_idle or demand.whole
    evicted = _evictions(candidate, (), demand.reserve_bytes, clear=clear)
    reserve = demand.reserve_bytes
    if demand.whole:
        share = _room(candidate, evicted) * policy.whole_percent // 100
        reserve = max(reserve, share)
    return _placement(candidate, reserve, None, evicted)


def _evictions(
    candidate: Candidate, kept: tuple[Reservation, ...], wanted: int, *, clear: bool
) -> tuple[Reservation, ...]:
    """The largest idle engines first, until there is room; all of them if `clear`."""
    rest = [r for r in candidate.idle if r not in kept]
    rest.sort(key=lambda r: (-max(r.reserved_bytes, r.used_bytes), r.engine))
    evicted: tuple[Reservation, ...] = ()
    for engine in rest:
        if not clear and _room(candidate, kept + evicted) >= wanted:
            break
        evicted += (engine,)
    return evicted


def _room(candidate: Candidate, leaving: tuple[Reservation, ...]) -> int:
    return available_without(
        candidate.gpu, candidate.reservations, candidate.headroom_bytes, leaving
    )


def _placement(
    candidate: Candidate,
    reserve_bytes: int,
    warm: Reservation | None,
    evicted: tuple[Reservation, ...],
) -> Placement:
    leaving = evicted if warm is None else (warm, *evicted)
    return Placement(
        replica=0,
        gpu=candidate.gpu,
        reserve_bytes=reserve_bytes,
        available_bytes=_room(candidate, leaving),
        warm="" if warm is None else warm.engine,
        evict=tuple(engine.engine for engine in evicted),
        reclaimed_bytes=reclaimed(candidate.gpu, leaving),
    )
