"""Which offers come first when a job may not have them all. Lower is better."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.scheduling.plan import Placement


def warm_first(offer: Placement) -> int:
    """0 where the model is loaded already: nothing is as fast as not loading."""
    return 0 if offer.warm else 1


def fewest_evictions(offer: Placement) -> int:
    """How many idle engines would go, that another job may still want."""
    return len(offer.evict)


def worst_fit(offer: Placement) -> int:
    """Worst fit, or spread: the GPU with the most bytes left over comes first.

    `score = -(available - reserve)`. Worst fit is D. S. Johnson's, "Fast algorithms for
    bin packing", J. Comput. Syst. Sci. 8 (1974). Schedulers know it as spread:
    `ScoreFitSpread` in Nomad (nomad/structs/funcs.go), `LeastAllocated` in Kubernetes.
    A job that has a GPU to itself packs nothing by going to a fuller one, and gains
    room for larger batches on an emptier one.
    """
    return offer.reserve_bytes - offer.available_bytes


def best_first(offers: Iterable[Placement]) -> list[Placement]:
    """Offers in the order in which they are taken; ties go by node and index."""
    return sorted(
        offers,
        key=lambda offer: (
            warm_first(offer),
            fewest_evictions(offer),
            worst_fit(offer),
            *place(offer),
        ),
    )


def place(offer: Placement) -> tuple[str, int, str]:
    """Node, index and UUID: the order in which people count GPUs."""
    return (offer.gpu.node, offer.gpu.index, offer.gpu.uuid)
