"""Memory that cannot be computed: the user says it, or a replica gets a GPU whole."""

from __future__ import annotations

from orchestrator.estimate.base import Estimate, gpu_memory_too_small, platform


def estimate_unknown(
    kind: str, *, gpu_memory: int | None = None, weights_bytes: int = 0
) -> Estimate:
    """Estimate a module of the user's own.

    Without `gpu_memory` the estimate is a floor and `whole`: the replica is given all
    that its GPU can give.

    Raises:
        OrchError: E203, `gpu_memory` does not even hold the context and the weights.
    """
    if gpu_memory is not None:
        return set_by_user(gpu_memory, kind, weights_bytes=weights_bytes)
    place = platform(kind)
    return Estimate(
        weights_bytes=weights_bytes,
        activation_bytes=place.floor_bytes,
        context_bytes=place.context_bytes,
        budget_tokens=0,
        whole=True,
    )


def set_by_user(
    gpu_memory: int, kind: str, *, weights_bytes: int = 0, budget_tokens: int = 0
) -> Estimate:
    """The user's amount, split so that what is left goes to activations.

    Raises:
        OrchError: E203, it does not hold the context and the weights.
    """
    place = platform(kind)
    fixed = weights_bytes + place.context_bytes
    if gpu_memory <= fixed:
        raise gpu_memory_too_small(gpu_memory, fixed + place.floor_bytes)
    return Estimate(
        weights_bytes=weights_bytes,
        activation_bytes=gpu_memory - fixed,
        context_bytes=place.context_bytes,
        budget_tokens=budget_tokens,
    )
