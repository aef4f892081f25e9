"""The cluster as it will be: after a plan is carried out, after jobs have ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from orchestrator.scheduling.plan import Placement, Plan
from orchestrator.scheduling.snapshot import (
    Gpu,
    HostReservation,
    Reservation,
    Snapshot,
    Uuid,
)


def after_jobs(
    snapshot: Snapshot, engines: Collection[str], jobs: Collection[str]
) -> Snapshot:
    """The snapshot once these jobs have ended, and these engines with them."""
    left = after_leaving(snapshot, engines)
    if not left.hosts:
        return left
    holders = {f"job {job}" for job in jobs}
    return replace(left, hosts=tuple(h for h in left.hosts if h.holder not in holders))


def after_leaving(snapshot: Snapshot, engines: Collection[str]) -> Snapshot:
    """The snapshot once these engines are gone and their memory is free again."""
    gone = [r for r in snapshot.reservations if r.engine in engines]
    if not gone:
        return snapshot
    back: dict[Uuid, int] = {}
    for reservation in gone:
        used = reservation.used_bytes
        back[reservation.gpu] = back.get(reservation.gpu, 0) + used
    gpus = tuple(_freed(gpu, back.get(gpu.uuid, 0)) for gpu in snapshot.gpus)
    kept = tuple(r for r in snapshot.reservations if r.engine not in engines)
    return replace(snapshot, gpus=gpus, reservations=kept)


def _freed(gpu: Gpu, back_bytes: int) -> Gpu:
    if not back_bytes:
        return gpu
    return replace(gpu, free_bytes=min(gpu.total_bytes, gpu.free_bytes + back_bytes))


def after_plan(snapshot: Snapshot, plan: Plan, job: str) -> Snapshot:
    """The snapshot once the plan's GPUs are promised to the job."""
    evicted = {name for placement in plan.placements for name in placement.evict}
    left = after_leaving(snapshot, evicted)
    taken = {p.warm: p for p in plan.placements if p.warm}
    kept = (
        _taken_over(r, taken[r.engine], job) if r.engine in taken else r
        for r in left.reservations
    )
    new = (_promise(p, plan, job) for p in plan.placements if not p.warm)
    hosts = (
        HostReservation(h.node_id, f"job {job}", h.cpu_milli, h.ram_bytes)
        for h in plan.hosts
    )
    return replace(left, reservations=(*kept, *new), hosts=(*left.hosts, *hosts))


def engines_of(plan: Plan, job: str) -> frozenset[str]:
    """The engines that hold the plan's GPUs after `after_plan`."""
    return frozenset(p.warm or _engine(p, job) for p in plan.placements)


def kept_off(snapshot: Snapshot, gpus: Collection[Uuid]) -> Snapshot:
    """The snapshot for a job that must leave these GPUs alone."""
    # They are still there, so that a cluster with GPUs stays one.
    marked = (
        replace(gpu, problem=gpu.problem or "kept for a job before it")
        if gpu.uuid in gpus
        else gpu
        for gpu in snapshot.gpus
    )
    return replace(snapshot, gpus=tuple(marked))


def gpus_of(plans: Iterable[Plan]) -> frozenset[Uuid]:
    """The GPUs that plans use."""
    return frozenset(p.gpu.uuid for plan in plans for p in plan.placements)


def _taken_over(warm: Reservation, placement: Placement, job: str) -> Reservation:
    reserved = placement.reserve_bytes
    held = replace(warm, holder=f"job {job}", reserved_bytes=reserved, idle=False)
    return replace(held, job=job)


def _promise(placement: Placement, plan: Plan, job: str) -> Reservation:
    return Reservation(
        gpu=placement.gpu.uuid,
        holder=f"job {job}",
        reserved_bytes=placement.reserve_bytes,
        used_bytes=0,
        engine=_engine(placement, job),
        engine_key=plan.demand.engine_key,
        shared=plan.demand.share,
        job=job,
    )


def _engine(placement: Placement, job: str) -> str:
    return f"job {job} replica {placement.replica} on {placement.gpu.uuid}"
