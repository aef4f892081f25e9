"""The memory of a model's norms."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.estimate.passes import Pass

_FLOAT32 = 4


def layer_norm(p: Pass, numbers: int, rows: int) -> int:
    """`native_layer_norm`: the result, mean and deviation."""
    out = p.new(numbers)
    p.free(p.new(rows, _FLOAT32), p.new(rows, _FLOAT32))
    return out


def rms_norm(p: Pass, numbers: int, rows: int) -> int:
    """As Llama's: computed in float32, then cast back and multiplied."""
    half = p.size < _FLOAT32
    wide = [p.new(numbers, _FLOAT32)] if half else []
    variance = _variance(p, numbers, rows)
    scale = _inverse_root(p, rows)
    out = p.new(numbers, _FLOAT32)
    p.free(scale, *wide)
    cast = [p.new(numbers)] if half else []
    result = p.new(numbers)
    p.free(*cast, out, variance)
    return result


def gemma_norm(p: Pass, numbers: int, rows: int) -> int:
    """As Gemma's: multiplied in float32, then cast back."""
    half = p.size < _FLOAT32
    wide = [p.new(numbers, _FLOAT32)] if half else []
    variance = _variance(p, numbers, rows)
    scale = _inverse_root(p, rows)
    out = p.new(numbers, _FLOAT32)
    p.free(scale, variance, *wide)
    scaled = p.new(numbers, _FLOAT32)
    p.free(out)
    if not half:
        return scaled
    result = p.new(numbers)
    p.free(scaled)
    return result


def _variance(p: Pass, numbers: int, rows: int) -> int:
    square = p.new(numbers, _FLOAT32)
    variance = p.new(rows, _FLOAT32)
    p.free(square)
    return variance


def _inverse_root(p: Pass, rows: int) -> int:
    shifted = p.new(rows, _FLOAT32)
    root = p.new(rows, _FLOAT32)
    p.free(shifted)
    return root


_NORMS: dict[str, Callable[[Pass, int, int], int]] = {
    "layer": layer_norm,
    "rms": rms_norm,
    "gemma": gemma_norm,
}


def norm(p: Pass) -> int:
    """The family's norm of the hidden states."""
    return _NORMS[p.arch.style.norm](p, p.hidden, p.tokens)


def norm_heads(p: Pass, numbers: int) -> int:
    """The family's norm of queries or keys, head by head."""
    return _NORMS[p.arch.style.norm](p, numbers, numbers // p.arch.head_dim)
