"""What would make a job fit: every answer is tried out, none is guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from orchestrator.scheduling.layout import Cure
from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.snapshot import Gpu, Snapshot, Uuid
from orchestrator.units import format_gib

Fits = Callable[[Demand, Snapshot], bool]
_STEP_TOKENS = 256
_LEAST_TOKENS = 512
_MOST_GPUS = 8


def unused(snapshot: Snapshot) -> Snapshot:
    """The cluster with no job and no other program on it; a sick GPU stays sick."""
    gpus = tuple(
        replace(gpu, free_bytes=gpu.total_bytes, owners=()) for gpu in snapshot.gpus
    )
    return replace(snapshot, gpus=gpus, reservations=(), hosts=())


def idle(snapshot: Snapshot) -> Snapshot:
    """The cluster at its best: unused, and every GPU well."""
    empty = unused(snapshot)
    return replace(empty, gpus=tuple(replace(gpu, problem="") for gpu in empty.gpus))


def cures(demand: Demand, snapshot: Snapshot, fits: Fits) -> tuple[Cure, ...]:
    """What would let a job run on this cluster that it never fits on.

    Args:
        demand: What does not fit.
        snapshot: The idle cluster.
        fits: Whether a demand has a plan on a snapshot.
    """
    tried = (_context, _variants, _count, _gpus)
    return tuple(cure for cured in tried for cure in cured(demand, snapshot, fits))


def _context(demand: Demand, snapshot: Snapshot, fits: Fits) -> Iterator[Cure]:
    """The longest context that fits, in steps of 256 tokens."""
    tokens = demand.pieces.context_tokens if demand.pieces else 0
    low, high = _LEAST_TOKENS // _STEP_TOKENS, tokens // _STEP_TOKENS
    if low > high or not fits(_shortened(demand, low * _STEP_TOKENS), snapshot):
        return
    while high - low > 1:
        middle = (low + high) // 2
        if fits(_shortened(demand, middle * _STEP_TOKENS), snapshot):
            low = middle
        else:
            high = middle
    longest = low * _STEP_TOKENS
    text = f"set a context of {longest:,} tokens instead of {tokens:,}"
    yield Cure("context", text, longest)


def _shortened(demand: Demand, tokens: int) -> Demand:
    pieces = demand.pieces
    if pieces is None:
        return demand
    cache = pieces.cache_bytes * tokens // pieces.context_tokens
    saved = pieces.cache_bytes - cache
    return replace(
        demand,
        activation_bytes=demand.activation_bytes - saved,
        pieces=replace(pieces, cache_bytes=cache, context_tokens=tokens),
    )


def _variants(demand: Demand, snapshot: Snapshot, fits: Fits) -> Iterator[Cure]:
    for variant in demand.variants:
        weights, pieces = variant.weights_bytes, variant.pieces
        if fits(replace(demand, weights_bytes=weights, pieces=pieces), snapshot):
            text = f"take {variant.name}: {format_gib(weights)} GiB of weights"
            yield Cure("variant", text, weights)


def _count(demand: Demand, snapshot: Snapshot, fits: Fits) -> Iterator[Cure]:
    """How many GPUs the job could ask for, if it asks for too many or too few."""
    fewer = [(count, demand.maximum) for count in range(demand.minimum - 1, 0, -1)]
    asked = demand.maximum or _MOST_GPUS
    more = [(demand.minimum, count) for count in range(asked + 1, _MOST_GPUS + 1)]
    for least, most in fewer + more:
        if fits(replace(demand, minimum=least, maximum=most), snapshot):
            count = least if most == demand.maximum else most or least
            yield Cure("count", f"set resources.gpus: {count}", count)
            return


def _gpus(demand: Demand, snapshot: Snapshot, fits: Fits) -> Iterator[Cure]:
    """How many more GPUs like the largest one there is, beside it."""
    largest = max(snapshot.candidates(), key=lambda gpu: gpu.total_bytes, default=None)
    if largest is None:
        return
    for count in range(1, _MOST_GPUS + 1):
        if fits(demand, _with_more(snapshot, largest, count)):
            size = format_gib(largest.total_bytes)
            noun = "GPU" if count == 1 else "GPUs"
            text = f"add {count} {noun} like {largest.name} ({size} GiB)"
            yield Cure("gpus", text, count)
            return


def _with_more(snapshot: Snapshot, like: Gpu, count: int) -> Snapshot:
    above = max(gpu.index for gpu in snapshot.gpus if gpu.node_id == like.node_id)
    more = tuple(
        replace(like, uuid=Uuid(f"{like.uuid}+{number}"), index=above + number)
        for number in range(1, count + 1)
    )
    return replace(snapshot, gpus=snapshot.gpus + more)
