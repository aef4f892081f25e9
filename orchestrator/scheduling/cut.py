"""What each GPU takes if a model is cut: sizes only, no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from orchestrator.scheduling.layout import Pieces
from orchestrator.scheduling.plan import Demand

_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Piece:
    """What one GPU of a replica takes."""

    weights_bytes: int
    activation_bytes: int
    """Its part of the cache included."""
    context_bytes: int
    layers: tuple[int, int] | None = None
    """Of a pipeline's stage: the first, and the one after the last."""

    @property
    def reserve_bytes(self) -> int:
        """What is set aside."""
        return self.weights_bytes + self.activation_bytes + self.context_bytes


def tensor_degrees(pieces: Pieces, most: int) -> list[int]:
    """Over how many GPUs, up to `most`, the attention heads can be spread evenly.

    Heads of keys and values are spread too, or each is kept on several GPUs.
    """
    heads, kv = pieces.heads, pieces.kv_heads or pieces.heads
    return [
        degree
        for degree in range(2, most + 1)
        if heads and heads % degree == 0 and (kv % degree == 0 or degree % kv == 0)
    ]


def tensor_piece(demand: Demand, pieces: Pieces, degree: int) -> Piece:
    """One of `degree` equal pieces; activations are whole on each, the cache not."""
    kv = pieces.kv_heads or pieces.heads
    cache = _part(pieces.cache_bytes, min(degree, kv))
    rest = demand.activation_bytes - pieces.cache_bytes
    weights = _part(demand.weights_bytes, degree)
    return Piece(weights, rest + cache, demand.context_bytes)


def stages(
    demand: Demand, pieces: Pieces, rooms: Sequence[int]
) -> tuple[Piece, ...] | None:
    """The stages of a pipeline, each filling the same share of its GPU's room.

    Args:
        demand: The model whole.
        pieces: Its layers.
        rooms: Bytes that each stage's GPU can promise, in the order of the stages.

    Returns:
        A stage with at least one layer for each room; `None` if they hold it not.
    """
    bounds = _bounds(demand, pieces, rooms)
    if bounds is None:
        return None
    sums = [0, *accumulate(pieces.layer_bytes)]
    last = len(bounds) - 1
    return tuple(
        Piece(
            weights_bytes=sums[end] - sums[begin] + _ends(pieces, at, last),
            activation_bytes=_activations(demand, pieces, end - begin),
            context_bytes=demand.context_bytes,
            layers=(begin, end),
        )
        for at, (begin, end) in enumerate(bounds)
    )


def _bounds(
    demand: Demand, pieces: Pieces, rooms: Sequence[int]
) -> list[tuple[int, int]] | None:
    """Bisects on the share of the room that the fullest stage uses."""
    low, high = 0, _STEPS
    best = _filled(demand, pieces, rooms, high)
    while best is not None and high - low > 1:
        share = (low + high) // 2
        found = _filled(demand, pieces, rooms, share)
        if found is None:
            low = share
        else:
            high, best = share, found
    return best


def _filled(
    demand: Demand, pieces: Pieces, rooms: Sequence[int], share: int
) -> list[tuple[int, int]] | None:
    """As many layers as go into that share of each room, one GPU after the other."""
    layers, last = len(pieces.layer_bytes), len(rooms) - 1
    bounds: list[tuple[int, int]] = []
    begin = 0
    for at, room in enumerate(rooms):
        fixed = demand.context_bytes + _ends(pieces, at, last)
        end, weights = begin, 0
        while end < layers - (last - at):
            weights += pieces.layer_bytes[end]
            activations = _activations(demand, pieces, end + 1 - begin)
            if (fixed + weights + activations) * _STEPS > room * share:
                break
            end += 1
        if end == begin:
            return None
        bounds.append((begin, end))
        begin = end
    return bounds if begin == layers else None


def _activations(demand: Demand, pieces: Pieces, layers: int) -> int:
    """With the cache of so many layers."""
    cache = _part(pieces.cache_bytes * layers, len(pieces.layer_bytes))
    return demand.activation_bytes - pieces.cache_bytes + cache


def _ends(pieces: Pieces, at: int, last: int) -> int:
    """What goes with the first and with the last layer."""
    first = pieces.first_bytes if at == 0 else 0
    return first + (pieces.last_bytes if at == last else 0)


def _part(amount: int, count: int) -> int:
    return -(-amount // max(1, count))
