"""The memory of a whole forward pass, layer by layer.

What the functions write down, and those of norms, rotary, attention and feed_forward,
is what the modules of Hugging Face transformers (models/*/modeling_*.py, 5.17 to 5.23)
take and free, operation by operation, in inference with torch's fused attention: also
which tensors their Python variables keep alive. `benchmarks/memory_estimate.py
--device cpu` holds it against those modules under a tracer of live storage.
"""

from __future__ import annotations

from orchestrator.estimate.attention import attend
from orchestrator.estimate.families import Role
from orchestrator.estimate.feed_forward import FEED_FORWARD, activation
from orchestrator.estimate.norms import norm
from orchestrator.estimate.passes import Pass

_INT64 = 8
_BOOL = 1


def forward(p: Pass, logits_rows: int = 0) -> None:
    """Write a pass on its tape, up to the moment when its outputs are dropped.

    Args:
        p: The pass.
        logits_rows: Tokens that logits are computed of.
    """
    # What lives as long as the pass: the modules' own variables hold it.
    inputs, hidden, holds = _STEMS[p.arch.style.role](p)
    for windowed in p.arch.windowed:
        following = _layer(p, windowed=windowed)
        if hidden not in holds:
            p.free(hidden)
        hidden = following
    out = hidden
    if p.arch.style.order != "post":
        out = norm(p)
        p.free(hidden)
    p.free(*holds)
    results = [out, *p.kept]
    if logits_rows * p.arch.vocab:
        results.append(p.new(logits_rows * p.arch.vocab))
    p.free(*results, *inputs)


def _text(p: Pass) -> tuple[list[int], int, list[int]]:
    ids = _ids(p)
    words, types = p.new(p.hidden), p.new(p.hidden)
    both = p.new(p.hidden)
    p.free(p.new(p.length * p.arch.hidden), p.new(p.hidden))
    out = norm(p)
    p.free(words, types, both)
    return ids, out, [out, *_positions(p)]


def _words(p: Pass) -> tuple[list[int], int, list[int]]:
    ids = _ids(p)
    words = p.new(p.hidden)
    holds = _positions(p)
    style = p.arch.style
    if style.norm == "gemma":
        scaled = p.new(p.hidden)
        p.free(words)
        words = scaled
    if style.rotary == "none":
        # Positions are added, and the words without them live on.
        holds += [words, p.new(p.length * p.arch.hidden)]
        return ids, p.new(p.hidden), holds
    return ids, words, [words, *holds]


def _ids(p: Pass) -> list[int]:
    """Tokens; packed ones also know their row and their place in it."""
    return [p.new(p.tokens, _INT64) for _ in range(4 if p.packed else 1)]


def _positions(p: Pass) -> list[int]:
    """Masks of windowed layers, and sine and cosine of every position."""
    if p.arch.style.scores:
        return [p.new(p.batch * p.arch.heads * p.length * p.length)]
    if p.arch.style.order == "post":
        return []
    holds = [p.new(p.length, _INT64)]
    if any(p.arch.windowed) and p.length >= p.arch.window and not p.packed:
        holds.append(_window_mask(p))
    if p.arch.style.rotary != "none":
        kinds = len(set(p.arch.windowed)) if p.arch.model_type in _TWO_BASES else 1
        angles = p.length * p.arch.rotary_dim
        holds += [p.new(angles) for _ in range(2 * kinds)]
    return holds


def _window_mask(p: Pass) -> int:
    """Which tokens see which, built from their distances."""
    pairs = p.length * p.length
    distances = []
    if p.arch.style.role is Role.ENCODER:
        signed = p.new(pairs, _INT64)
        distances = [p.new(pairs, _INT64)]
        p.free(signed)
    near = p.new(pairs, _BOOL)
    p.free(*distances)
    both = p.new(pairs, _BOOL)
    p.free(near)
    valid, mask = p.new(pairs, _BOOL), p.new(pairs, _BOOL)
    p.free(both, valid)
    return mask


_TWO_BASES = {"modernbert", "gemma3_text"}


def _image(p: Pass) -> tuple[list[int], int, list[int]]:
    arch = p.arch
    pixels = p.new(p.batch * arch.pixels)
    patches = p.new(p.batch * arch.patches * arch.hidden)
    rows = [p.new(p.hidden)] if arch.prefix else []
    out = p.new(p.hidden)
    p.free(patches, *rows)
    return [pixels], out, [out]


_STEMS = {Role.ENCODER: _text, Role.DECODER: _words, Role.VISION: _image}


def _layer(p: Pass, *, windowed: bool) -> int:
    match p.arch.style.order:
        case "post":
            return _post(p, windowed=windowed)
        case "parallel":
            return _parallel(p, windowed=windowed)
        case _:
            return _pre(p, windowed=windowed)


def _attention(p: Pass, normed: list[int], *, windowed: bool) -> int:
    attended, holds = attend(p, windowed=windowed)
    out = p.new(p.hidden)
    p.free(attended, *holds, *normed)
    return out


def _pre(p: Pass, *, windowed: bool) -> int:
    style = p.arch.style
    attended = _attention(p, [norm(p)], windowed=windowed)
    branch = _after(p, attended)
    if branch != attended and not style.keeps:
        p.free(attended)
    residual = p.new(p.hidden)
    if not style.keeps:
        p.free(branch)
    normed = norm(p)
    computed = FEED_FORWARD[style.mlp](p)
    p.free(normed)
    change = _after(p, computed)
    if change != computed:
        p.free(computed)
    out = p.new(p.hidden)
    p.free(change, residual)
    if style.keeps:
        p.free(*{attended, branch})
    return out


def _after(p: Pass, branch: int) -> int:
    """A branch's result, normalised or scaled before it is added."""
    style = p.arch.style
    if style.order == "sandwich":
        return norm(p)
    return p.new(p.hidden) if style.scaled else branch


def _parallel(p: Pass, *, windowed: bool) -> int:
    """Attention and feed-forward of the same hidden states."""
    branch = _attention(p, [norm(p)], windowed=windowed)
    normed = norm(p)
    change = FEED_FORWARD[p.arch.style.mlp](p)
    p.free(normed)
    both, out = p.new(p.hidden), p.new(p.hidden)
    p.free(both, branch, change)
    return out


def _post(p: Pass, *, windowed: bool) -> int:
    """As BERT: what a norm was computed of lives until it is done."""
    attended, holds = attend(p, windowed=windowed)
    p.free(*holds)
    residual = _added(p, [attended])
    numbers = p.tokens * p.arch.intermediate
    inner = activation(p, p.new(numbers), numbers)
    return _added(p, [inner, residual])


def _added(p: Pass, given: list[int]) -> int:
    """A product of the last of `given`, added to the stream and normalised."""
    product, both = p.new(p.hidden), p.new(p.hidden)
    out = norm(p)
    p.free(product, both, *given)
    return out
