"""Why a plan is what it is, in a sentence with numbers."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.scheduling.layout import Layout, Mode, Objective
from orchestrator.scheduling.plan import Demand, Placement, Reason, Refusal
from orchestrator.scheduling.shards import Shards
from orchestrator.scheduling.snapshot import DeviceKind, noun
from orchestrator.units import format_gib

NAMED = 4
"""GPUs that are named before the rest is counted."""


def plan_reason(
    demand: Demand,
    placements: Sequence[Placement],
    refusals: Sequence[Refusal],
    *,
    unnamed: int = 0,
    spare: int = 0,
) -> str:
    """Why these GPUs.

    Args:
        demand: What one replica asks for.
        placements: The plan's, one or more.
        refusals: GPUs that cannot take a replica, to be named.
        unnamed: How many more cannot.
        spare: How many more could have taken one.
    """
    if not placements:
        return "it needs no GPU, only CPU and RAM"
    kind = placements[0].gpu.kind
    clauses = [_choice(demand, placements)]
    if kind == DeviceKind.CPU:
        clauses.insert(0, "no GPU was found on this cluster, so it runs on CPUs")
    if spare:
        more = f"{spare} more {noun(kind, spare)} could take one"
        clauses.append(f"{more}, but the job asks for at most {demand.maximum}")
    if refusals:
        clauses.append(f"left out: {_left_out(refusals, unnamed)}")
    return "; ".join(clauses)


def shards_reason(demand: Demand, layout: Layout, replicas: Sequence[Shards]) -> str:
    """Why the model is cut, and how."""
    need = format_gib(demand.reserve_bytes)
    if demand.mode is layout.mode:
        clauses = [f"the job file asks for {layout.mode} parallel"]
    elif demand.objective is Objective.LATENCY and layout.mode is Mode.TENSOR:
        faster = f"{layout.speed_percent / 100:.1f}"
        clauses = [f"the job wants latency: {faster} times as fast as one GPU"]
    else:
        clauses = [f"no GPU that it may use has {need} GiB for all of the model"]
    if layout.mode is Mode.TENSOR:
        clauses.append(f"{layout.shards} equal GPUs have a part of every layer")
    else:
        clauses.append(f"stages by free memory: {_stages(replicas[0])}")
    if layout.replicas > 1:
        clauses.append(f"{layout.replicas} replicas of that")
    return "; ".join(clauses)


def _stages(shards: Shards) -> str:
    counts = [end - begin for begin, end in (p.layers or (0, 0) for p in shards.pieces)]
    return " + ".join(map(str, counts)) + " layers"


def _choice(demand: Demand, placements: Sequence[Placement]) -> str:
    one = noun(placements[0].gpu.kind, 1)
    if demand.whole:
        return (
            "how much memory the model needs is not known, "
            f"so each replica gets a {one} whole"
        )
    need, free = format_gib(demand.reserve_bytes), _free(placements)
    fits = f"the model fits on one {one} ({need} of {free} GiB free)"
    if len(placements) == 1:
        return fits
    return f"{fits}, so a copy on each gives the most rows/s"


def _free(placements: Sequence[Placement]) -> str:
    frees = sorted(placement.free_bytes for placement in placements)
    least, most = format_gib(frees[0]), format_gib(frees[-1])
    return least if least == most else f"{least} to {most}"


def _left_out(refusals: Sequence[Refusal], unnamed: int) -> str:
    named = [f"{r.gpu.name} ({_short(r)})" for r in refusals]
    return ", ".join([*named, f"and {unnamed} more"] if unnamed > 0 else named)


def _short(refusal: Refusal) -> str:
    match refusal.reason:
        case Reason.TOO_SMALL:
            return f"too small: {format_gib(refusal.gpu.total_bytes)} GiB"
        case Reason.BUSY:
            return "busy with another job"
        case Reason.FOREIGN_USE:
            return f"only {format_gib(refusal.available_bytes)} GiB available"
        case _:
            return refusal.detail
