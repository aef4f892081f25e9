"""The memory of attention: products, rotary positions, the cache, the fused kernel."""

from __future__ import annotations

from orchestrator.estimate.norms import norm_heads
from orchestrator.estimate.passes import Pass
from orchestrator.estimate.rotary import rotate, rotate_float32

_FLOAT32 = 4
_ALIGNED = 16


def attend(p: Pass, *, windowed: bool) -> tuple[int, list[int]]:
    """Attention without its output product.

    Returns:
        The attended values, and what lives as long as they do.
    """
    query, key, holds = _projected(p)
    if p.cache:
        key = _cached(p, key, holds)
    held = [block for block in (query, key, *holds) if block >= 0]
    if p.arch.style.scores:
        return _by_products(p, held)
    out = _kernel(p, windowed=windowed)
    if p.arch.style.rotary == "partial":
        # Its queries are contiguous by head, and so is what the kernel returns.
        merged = p.new(p.query)
        p.free(out)
        out = merged
    return out, held


def _projected(p: Pass) -> tuple[int, int, list[int]]:
    """Query, key (-1: a view of what follows) and what holds the values."""
    style = p.arch.style
    if style.fused or p.packed:
        holds, query, key = [p.new(p.query + 2 * p.key)], -1, -1
    else:
        query = _normed(p, p.new(p.query), p.query, "at once")
        key = _normed(p, p.new(p.key), p.key, "at once")
        holds = [p.new(p.key)]
    when = style.norm_heads if query < 0 else "after"
    query = _normed(p, query, p.query, when)
    key = _normed(p, key, p.key, when)
    return *_rotated(p, query, key), holds


def _normed(p: Pass, states: int, numbers: int, when: str) -> int:
    """Queries or keys, normalised by head if the family does so at this point."""
    if not when or p.arch.style.norm_heads != when:
        return states
    out = norm_heads(p, numbers)
    _free(p, states)
    return out


def _free(p: Pass, *blocks: int) -> None:
    p.free(*(block for block in blocks if block >= 0))


def _rotated(p: Pass, query: int, key: int) -> tuple[int, int]:
    match p.arch.style.rotary:
        case "none":
            return query, key
        case "float32":
            turned = rotate_float32(p)
        case _:
            turned = rotate(p, p.query), rotate(p, p.key)
    _free(p, query, key)
    return turned


def _cached(p: Pass, key: int, holds: list[int]) -> int:
    """Copies of keys and values that outlive the pass stand in for them."""
    p.kept.extend((p.new(p.key), p.new(p.key)))
    _free(p, key)
    if not p.arch.style.fused:
        p.free(*holds)
        holds.clear()
    return -1


def _by_products(p: Pass, holds: list[int]) -> tuple[int, list[int]]:
    """Scores, shares and values, each an operation of its own."""
    scores = p.batch * p.arch.heads * p.length * p.length
    copies = [p.new(p.query), p.new(p.key)]
    raw = p.new(scores)
    p.free(*copies)
    scaled = p.new(scores)
    p.free(raw)
    shares = p.new(scores)
    copy = p.new(p.key)
    out = p.new(p.query)
    p.free(copy)
    merged = p.new(p.query)
    p.free(out)
    return merged, [*holds, scaled, shares]


def _kernel(p: Pass, *, windowed: bool) -> int:
    """The fused `scaled_dot_product_attention`, or flash attention over packed rows."""
    arch = p.arch
    grouped = arch.kv_heads < arch.heads
    masked = windowed and not p.packed and p.length >= arch.window
    repeats = []
    if grouped and (masked or p.packed):
        repeats = [p.new(p.query), p.new(p.query)]
    if masked:
        repeats.append(p.new(p.batch * p.length * p.length))
    if masked and p.cuda and p.length % _ALIGNED:
        # The kernel takes a mask of aligned rows only, so it is copied.
        aligned = -(-p.length // _ALIGNED) * _ALIGNED
        repeats.append(p.new(p.batch * p.length * aligned))
    if _by_scores(p, masked=masked):
        out = _scores(p)
    else:
        out = p.new(p.query)
        p.free(p.new(p.tokens * arch.heads, _FLOAT32))
    p.free(*repeats)
    return out


def _by_scores(p: Pass, *, masked: bool) -> bool:
    """On a GPU no fused kernel takes float32 with fewer key heads than query heads.

    aten/src/ATen/native/transformers/cuda/sdp_utils.cpp: flash and cuDNN take 16 bits
    only, and `use_mem_efficient_attention` has no grouped heads before torch 2.14.
    """
    grouped = p.arch.kv_heads < p.arch.heads
    return p.cuda and p.size == _FLOAT32 and grouped and not (masked or p.packed)


def _scores(p: Pass) -> int:
    """`_scaled_dot_product_attention_math`: all scores of a batch at once."""
    scores = p.batch * p.arch.heads * p.length * p.length
    inputs = [p.new(p.query) for _ in range(4)]
    mask = p.new(p.length * p.length)
    raw = p.new(scores)
    shares = p.new(scores)
    hidden = p.new(scores, 1)
    result = p.new(scores)
    p.free(shares, hidden, raw, mask)
    out = p.new(p.query)
    p.free(result, *inputs)
    return out
