"""The memory of rotary positions."""

from __future__ import annotations

from orchestrator.estimate.passes import Pass

_FLOAT32 = 4


def rotate(p: Pass, numbers: int) -> int:
    """Queries or keys turned by their positions: `x * cos + rotate_half(x) * sin`."""
    turned = numbers * p.arch.rotary_dim // p.arch.head_dim
    out = _turned(p, turned, p.size)
    if p.arch.style.rotary != "partial":
        return out
    joined = p.new(numbers)
    p.free(out)
    return joined


def rotate_float32(p: Pass) -> tuple[int, int]:
    """Queries and keys turned in float32, then cast back."""
    query = _turned(p, p.query, _FLOAT32)
    key = _turned(p, p.key, _FLOAT32)
    if p.size == _FLOAT32:
        return query, key
    cast = p.new(p.query), p.new(p.key)
    p.free(query, key)
    return cast


def _turned(p: Pass, numbers: int, size: int) -> int:
    """In numbers of `size` bytes; casts first if these are wider than the run's."""
    cast = size > p.size
    wide = [p.new(numbers, size)] if cast else []
    by_cos = p.new(numbers, size)
    p.free(*wide)
    wide = [p.new(numbers, size)] if cast else []
    negative = p.new(numbers // 2, size)
    half = p.new(numbers, size)
    p.free(negative, *wide)
    by_sin = p.new(numbers, size)
    p.free(half)
    out = p.new(numbers, size)
    p.free(by_cos, by_sin)
    return out
