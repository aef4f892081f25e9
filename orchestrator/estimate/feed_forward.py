"""The memory of a layer's feed-forward, with one expert or many."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.estimate.passes import Pass

_FLOAT32 = 4
_INT64 = 8


def activation(p: Pass, states: int, numbers: int) -> int:
    """The activation function; frees what it was given."""
    match p.arch.act:
        case "quick_gelu":
            scaled = p.new(numbers)
            gate = p.new(numbers)
            p.free(scaled)
            out = p.new(numbers)
            p.free(gate)
        case "gelu_new":
            half, last = p.new(numbers), p.new(numbers)
            for _ in range(5):
                following = p.new(numbers)
                p.free(last)
                last = following
            out = p.new(numbers)
            p.free(last, half)
        case _:
            out = p.new(numbers)
    p.free(states)
    return out


def gated(p: Pass) -> int:
    """`down(act(gate(x)) * up(x))` in three products."""
    numbers = p.tokens * p.arch.intermediate
    gate = activation(p, p.new(numbers), numbers)
    up = p.new(numbers)
    product = p.new(numbers)
    p.free(gate, up)
    out = p.new(p.hidden)
    p.free(product)
    return out


def gated_fused(p: Pass) -> int:
    """The same with gate and up as one product."""
    numbers = p.tokens * p.arch.intermediate
    both = p.new(2 * numbers)
    gate = p.new(numbers)
    product = p.new(numbers)
    p.free(gate)
    out = p.new(p.hidden)
    p.free(product, both)
    return out


def plain(p: Pass) -> int:
    """`down(act(up(x)))`."""
    numbers = p.tokens * p.arch.intermediate
    inner = activation(p, p.new(numbers), numbers)
    out = p.new(p.hidden)
    p.free(inner)
    return out


def experts(p: Pass) -> int:
    """A mixture: every token is copied for each of its experts, sorted by expert.

    As `grouped_mm_experts_forward` of transformers 5: its output is summed over the
    copies, in float32 where the family weighs them so.
    """
    arch, routed = p.arch, p.tokens * p.arch.experts_per_row
    wide = _FLOAT32 if arch.style.float32_routes else p.size
    routes = _route(p, wide)
    order = [p.new(routed, _INT64), p.new(routed, _INT64)]
    rows = p.new(routed, _INT64)
    copies = p.new(routed * arch.hidden)
    p.free(rows)
    order += [p.new(routed, wide), p.new(routed, _FLOAT32)]
    numbers = routed * arch.intermediate
    both = p.new(2 * numbers)
    gate = p.new(numbers)
    product = p.new(numbers)
    p.free(gate, both)
    down = p.new(routed * arch.hidden)
    p.free(product)
    weighted = p.new(routed * arch.hidden, wide)
    order.append(p.new(routed, _INT64))
    sorted_back = p.new(routed * arch.hidden, wide)
    p.free(weighted)
    out = p.new(p.hidden, wide)
    if wide != p.size:
        summed, out = out, p.new(p.hidden)
        p.free(summed)
    p.free(*order, copies, down, sorted_back, *routes)
    return out


def _route(p: Pass, wide: int) -> tuple[int, ...]:
    scores, routed = p.tokens * p.arch.experts, p.tokens * p.arch.experts_per_row
    logits = p.new(scores)
    cast = p.new(scores, _FLOAT32)
    shares = p.new(scores, _FLOAT32)
    p.free(cast)
    top, chosen = p.new(routed, _FLOAT32), p.new(routed, _INT64)
    weights = p.new(routed, wide)
    p.free(top, shares)
    return logits, weights, chosen


FEED_FORWARD: dict[str, Callable[[Pass], int]] = {
    "plain": plain,
    "gated": gated,
    "gated_fused": gated_fused,
    "experts": experts,
}
