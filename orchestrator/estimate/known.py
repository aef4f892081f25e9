"""All that earlier runs of one engine have shown of its memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.measured import Peak, corrected
from orchestrator.estimate.model import Shape


@dataclass(frozen=True, slots=True)
class Profile:
    """What small batches of a user's own module took.

    Attributes:
        parameters_bytes: Its parameters and buffers.
        small_batches: `(rows, peak bytes beside the parameters)`, of two sizes.
    """

    parameters_bytes: int
    small_batches: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run held of its GPU, or lacked.

    Attributes:
        peak: The most it held; if it lacked memory, what would have been enough.
        settled: It could have run larger batches, tried, and they were no faster.
        lacked: The memory ran out, and smaller batches did not help.
    """

    peak: Peak
    settled: bool = False
    lacked: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What was seen of one engine, on all GPUs."""

    seen: tuple[Seen, ...] = ()
    profile: Profile | None = None

    def most_bytes(self) -> int:
        """The most that any run held or lacked; 0: there was none."""
        return max((seen.peak.bytes for seen in self.seen), default=0)

    def wanted(self, gpu_models: Collection[str]) -> int:
        """The batch beyond which it gets no faster, on every one of these GPU models.

        In tokens or rows; 0 if it is not known of all.
        """
        settled: dict[str, int] = {}
        for seen in self.seen:
            if seen.settled and not seen.lacked:
                model, tokens = seen.peak.gpu_model, seen.peak.shape.tokens
                settled[model] = max(tokens, settled.get(model, 0))
        if not gpu_models or any(model not in settled for model in gpu_models):
            return 0
        return max(settled[model] for model in gpu_models)

    def corrected(
        self, estimate: Estimate, shape: Shape, gpu_models: Collection[str]
    ) -> Estimate:
        """The estimate by what was seen: on the GPU model that takes most of it.

        It is never below what an earlier run lacked: no batch was too small for that.
        """
        peaks = [seen.peak for seen in self.seen if not seen.lacked]
        found = [
            corrected(estimate, shape, peaks, model) for model in gpu_models or ("",)
        ]
        return self.with_floor(max(found, key=lambda one: one.total_bytes))

    def with_floor(self, estimate: Estimate) -> Estimate:
        """Not below what an earlier run lacked."""
        lacked = [seen.peak.bytes for seen in self.seen if seen.lacked]
        floor_bytes = max(lacked, default=0)
        if estimate.total_bytes >= floor_bytes:
            return estimate
        return replace(estimate.with_total(floor_bytes), measured=True)
