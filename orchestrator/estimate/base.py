"""What an estimate says, and the constants of the two kinds of places to run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.errors import Code, OrchError
from orchestrator.units import GIB, MIB, format_memory

DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Memory of one replica on one GPU."""

    weights_bytes: int
    activation_bytes: int
    context_bytes: int
    budget_tokens: int
    """Tokens that one batch may hold; 0: the engine finds it out."""
    whole: bool = False
    """The need is not known: the bytes are a floor, the replica gets all there is."""
    kv_cache_bytes: int = 0
    logits_bytes: int = 0
    """What logits take beyond the widest moment before them."""
    workspace_bytes: int = 0
    slack_bytes: int = 0
    """What the allocator reserves beyond what is in use."""
    measured: bool = False
    """An earlier run's peak decided the total."""

    @property
    def total_bytes(self) -> int:
        """What must be set aside, or the least of it if `whole`."""
        return sum(amount for _, amount in self.parts())

    @property
    def running_bytes(self) -> int:
        """All but weights and context: what comes and goes while it runs."""
        return self.total_bytes - self.weights_bytes - self.context_bytes

    def parts(self) -> tuple[tuple[str, int], ...]:
        """The parts that make up the total, by name, in the order they are told."""
        return (
            ("weights", self.weights_bytes),
            ("kv_cache", self.kv_cache_bytes),
            ("activations", self.activation_bytes),
            ("logits", self.logits_bytes),
            ("context", self.context_bytes),
            ("workspace", self.workspace_bytes),
            ("slack", self.slack_bytes),
        )

    def with_total(self, total_bytes: int) -> Estimate:
        """Another total: the difference is slack, then activations, then context."""
        more = total_bytes - self.total_bytes
        slack = self.slack_bytes + more
        activations = self.activation_bytes + min(0, slack)
        context = self.context_bytes + min(0, activations)
        return replace(
            self,
            slack_bytes=max(0, slack),
            activation_bytes=max(0, activations),
            context_bytes=max(0, context),
        )


@dataclass(frozen=True, slots=True)
class Platform:
    """What running costs on one kind of place, whatever the model."""

    context_bytes: int
    """CUDA's context with its libraries; on a CPU the process itself."""
    workspace_bytes: int
    """Scratch space of the matrix library."""
    slack_percent: int
    """Activations as allocated, in percent of activations as computed."""
    aim_tokens: int
    """Tokens in a batch beyond which it does not get faster."""
    floor_bytes: int
    """Least room for a module of unknown size."""


CUDA = Platform(
    context_bytes=600 * MIB,
    workspace_bytes=64 * MIB,
    slack_percent=200,
    # What the embeddings engine tries at most; it keeps what is fastest.
    aim_tokens=131_072,
    floor_bytes=GIB,
)
# Slack measured with torch 2.13 and sdpa at 4,096 tokens: 190 % to 210 %.
CPU = Platform(
    context_bytes=512 * MIB,
    workspace_bytes=0,
    slack_percent=220,
    aim_tokens=4_096,
    floor_bytes=256 * MIB,
)
_PLATFORMS = {"cuda": CUDA, "cpu": CPU}


def platform(kind: str) -> Platform:
    """The constants of a `DeviceKind`."""
    return _PLATFORMS[kind]


def gpu_memory_too_small(asked_bytes: int, needed_bytes: int) -> OrchError:
    """E203: the job sets less memory aside than its model takes at the least."""
    needed = format_memory(needed_bytes)
    return OrchError.of(
        Code.BAD_VALUE,
        f"resources.gpu_memory is {format_memory(asked_bytes)}, "
        f"but one copy of the model needs {needed} at the least",
        fix=f"set it to {whole_mib(needed_bytes)} or more, or leave it out",
    )


def whole_mib(amount: int) -> str:
    """An amount rounded up to MiB, as a job file takes it."""
    return f"{-(-amount // MIB)}MiB"
