"""The largest batch that a job's engine may run within a GPU, and what that takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.estimate.architecture import read_architecture
from orchestrator.estimate.base import Estimate, gpu_memory_too_small, platform
from orchestrator.estimate.model import Shape

_LEAST_TOKENS = 4096
"""The batch that the embeddings engine tries first on a GPU."""
_LEAST_ROWS = 8
"""The batch that the engine of modules tries first."""
MOST_ROWS = 8192
"""The largest that it tries."""


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A batch, and the memory of one replica that runs it.

    Attributes:
        estimate: The memory.
        shape: The largest batch; `None`: nobody knows what it will be.
    """

    estimate: Estimate
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a batch.

    Attributes:
        memory_bytes: What the smallest GPU can give; `None`: there is no GPU.
        gpu_memory: What the user sets aside in all; `None`: nothing.
        wanted_rows: Of a user's own module, beyond which it gets no faster; 0: not
            known.
    """

    memory_bytes: int | None = None
    gpu_memory: int | None = None
    wanted_rows: int = 0


def reckon_embeddings(
    config: Mapping[str, Any],
    kind: str,
    limits: Limits,
    estimated: Callable[[Shape], Estimate],
    *,
    packed: bool,
    max_length: int | None = None,
    model: str = "the model",
) -> Reckoned:
    """The batch of a text encoder: halved until it fits, down to the longest row.

    Of packed rows only the tokens count: they are written as one row. All others are
    padded to their longest.

    Args:
        config: The model's `config.json`.
        kind: A `DeviceKind`.
        limits: What bounds the batch.
        estimated: Estimates a shape.
        packed: Rows are packed, if the model's attention is a kernel of its own.
        max_length: The job's limit of tokens a row.
        model: Its name in messages.

    Raises:
        OrchError: E203, the architecture is not known, or `gpu_memory` cannot hold
            one row of the longest.
    """
    arch = read_architecture(config, model)
    longest = min(max_length or arch.longest, arch.longest)
    # Always: what was fastest once may have been a small batch by chance.
    aim = max(platform(kind).aim_tokens, longest)
    least = max(longest, _LEAST_TOKENS) if kind == "cuda" else longest
    sizes = [*_halved(aim, least), longest]
    packs = packed and not arch.style.scores
    shapes = [_shape(tokens, longest, packed=packs) for tokens in sizes]
    return _first_that_fits(shapes, limits, estimated)


def reckon_rows(limits: Limits, estimated: Callable[[Shape], Estimate]) -> Reckoned:
    """The batch of a user's own module: rows, halved until it fits.

    Raises:
        OrchError: E203, `gpu_memory` cannot hold the smallest.
    """
    aim = limits.wanted_rows or MOST_ROWS
    shapes = [Shape(batch=rows) for rows in (*_halved(aim, _LEAST_ROWS), 1)]
    return _first_that_fits(shapes, limits, estimated)


def _shape(tokens: int, longest: int, *, packed: bool) -> Shape:
    if packed:
        return Shape(batch=1, length=tokens, packed=True)
    return Shape(batch=max(1, tokens // longest), length=longest)


def _halved(most: int, least: int) -> Iterator[int]:
    """Down to the last that is not below `least`; at least `most` itself."""
    yield most
    while (most := most // 2) >= least:
        yield most


def _first_that_fits(
    shapes: list[Shape], limits: Limits, estimated: Callable[[Shape], Estimate]
) -> Reckoned:
    """Where none does, the smallest: the diagnosis tells what is missing."""
    given = limits.gpu_memory
    limit = limits.memory_bytes if given is None else given
    last = shapes[-1]
    for shape in shapes:
        estimate = estimated(shape)
        fits = limit is None or estimate.total_bytes <= limit
        if fits and given is not None:
            return Reckoned(estimate.with_total(given), shape)
        if fits or (shape is last and given is None):
            return Reckoned(estimate, shape)
    raise gpu_memory_too_small(given or 0, estimated(last).total_bytes)
