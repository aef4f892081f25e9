"""Replicas or shards: which layout a job gets, and what the others were beaten by."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.scheduling.cut import tensor_degrees
from orchestrator.scheduling.layout import Alternative, Layout, Mode, Objective, Pieces
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan
from orchestrator.units import format_gib

NOT_YET = "a model cut over several GPUs is not run yet"

Layouts = Mapping[Mode, Layout | None]
"""What each mode comes to; `None`: it is not possible now."""


def considered(demand: Demand) -> tuple[Mode, ...]:
    """The modes that the job file leaves open, in the order in which they stand."""
    if demand.mode is not None:
        return (demand.mode,)
    if demand.shards is not None:
        shards = (Mode.TENSOR, Mode.PIPELINE)
        return shards if demand.shards > 1 else (Mode.REPLICATE,)
    if demand.pieces is None:
        return (Mode.REPLICATE,)
    return tuple(Mode)


def winner(demand: Demand, layouts: Layouts) -> Mode | None:
    """The mode to take, or `None` if none is possible.

    Latency: tensor parallel. Throughput: replicas if the model fits on one GPU. Else
    the fewest GPUs for a replica, tensor parallel before a pipeline.
    """
    possible = {mode: found for mode, found in layouts.items() if found is not None}
    if demand.objective is Objective.LATENCY and Mode.TENSOR in possible:
        return Mode.TENSOR
    order = list(Mode)
    ranked = sorted(possible, key=lambda m: (possible[m].shards, order.index(m)))
    return ranked[0] if ranked else None


def beaten(demand: Demand, chosen: Layout, layouts: Layouts) -> tuple[Alternative, ...]:
    """The modes that were not taken, and by what they were beaten."""
    others = (mode for mode in Mode if mode is not chosen.mode)
    return tuple(
        Alternative(mode, layouts.get(mode), _because(demand, chosen, mode, layouts))
        for mode in others
    )


def _because(demand: Demand, chosen: Layout, mode: Mode, layouts: Layouts) -> str:
    if mode not in layouts:
        return "the job file says otherwise"
    layout = layouts[mode]
    if layout is None:
        return impossible(demand, mode, chosen.shards)
    if demand.objective is Objective.LATENCY and chosen.mode is Mode.TENSOR:
        ours, theirs = chosen.speed_percent, layout.speed_percent
        return f"it answers a request {_times(theirs)} as fast as one GPU, not " + (
            _times(ours)
        )
    if layout.shards > chosen.shards > 1:
        return f"it takes {layout.shards} GPUs for a replica, not {chosen.shards}"
    ours, theirs = chosen.throughput_percent, layout.throughput_percent
    if theirs < ours:
        return f"it gives {_times(theirs)} the rows/s of one GPU, not {_times(ours)}"
    return "replicas need no traffic between GPUs and fail one by one"


def impossible(demand: Demand, mode: Mode, shards: int = 1) -> str:
    """Why a mode cannot be had now; `shards`: over as many GPUs as this, if known."""
    pieces = demand.pieces
    if mode is Mode.REPLICATE:
        return f"no GPU has {format_gib(demand.reserve_bytes)} GiB for a whole replica"
    if pieces is None:
        return "the model cannot be cut"
    if mode is Mode.PIPELINE:
        return "no GPUs that may be used hold its layers together"
    if not pieces.heads:
        return "its attention heads are not known"
    count = demand.shards or shards
    if count > 1 and count not in tensor_degrees(pieces, count):
        return f"{_heads(pieces)} do not divide by {count}"
    return "no node has enough equal GPUs with room for a part each"


def only_cut(answer: Plan | Diagnosis) -> bool:
    """Whether the job could run with its model cut, and in no other way."""
    if isinstance(answer, Plan):
        return answer.layout is not None and answer.layout.mode is not Mode.REPLICATE
    return answer.ever and answer.demand.pieces is not None


def _heads(pieces: Pieces) -> str:
    if pieces.kv_heads in (0, pieces.heads):
        return f"{pieces.heads} heads"
    return f"{pieces.heads} heads and {pieces.kv_heads} of keys and values"


def _times(percent: int) -> str:
    return f"{percent / 100:.2f}x"
