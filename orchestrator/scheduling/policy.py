"""The constants of placement, by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.scheduling.mix import Typical
from orchestrator.scheduling.snapshot import DeviceKind, Gpu
from orchestrator.units import GIB


class Scoring(StrEnum):
    """What makes a place a good one; the formulas stand with the scores."""

    PACKED_FGD = "packed_fgd"
    """Fragmentation gradient descent, with best fit as a counterweight. Where the mix
    of jobs is not known: best fit for a share of a GPU, worst fit for whole ones."""
    FGD = "fgd"
    """Fragmentation gradient descent as published."""
    BEST_FIT = "best_fit"
    WORST_FIT = "worst_fit"
    RANDOM = "random"
    """None better than another: `Policy.key` decides."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What placement may be told to do otherwise."""

    headroom_percent: int = 3
    """Share of a GPU that is never promised: free memory moves by itself."""
    headroom_max_bytes: int = GIB
    whole_percent: int = 90
    """Of what is available, for a replica whose need is not known."""
    evict_all_idle: bool = False
    """A GPU is had whole: every idle engine goes from a chosen one, also where there
    is room for both, and jobs that could share do not."""
    scoring: Scoring = Scoring.PACKED_FGD
    mix: tuple[Typical, ...] = ()
    """The jobs that usually come; fragmentation is measured by them."""
    key: int | None = None
    """Decides between equal places; `None`: the first by name does."""

    def headroom_bytes(self, gpu: Gpu) -> int:
        """What is left alone on this GPU; nothing on a CPU device."""
        if gpu.kind == DeviceKind.CPU:
            return 0
        share = gpu.total_bytes * self.headroom_percent // 100
        return min(share, self.headroom_max_bytes)

    def smallest_gpu_bytes(self, needed_bytes: int) -> int:
        """Total memory of the smallest GPU that can promise this much."""
        by_share = -(-needed_bytes * 100 // (100 - self.headroom_percent))
        return min(by_share, needed_bytes + self.headroom_max_bytes)


DEFAULT = Policy()
