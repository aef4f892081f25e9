"""The constants of placement, by name."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.scheduling.snapshot import DeviceKind, Gpu
from orchestrator.units import GIB


@dataclass(frozen=True, slots=True)
class Policy:
    """What placement may be told to do otherwise."""

    headroom_percent: int = 3
    """Share of a GPU that is never promised: free memory moves by itself."""
    headroom_max_bytes: int = GIB
    whole_percent: int = 90
    """Of what is available, for a replica whose need is not known."""
    evict_all_idle: bool = False
    """Every idle engine goes from a chosen GPU, also where there is room for both."""

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
