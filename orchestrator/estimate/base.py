"""What an estimate says, and the constants of the two kinds of places to run."""

from __future__ import annotations

from dataclasses import dataclass

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

    @property
    def total_bytes(self) -> int:
        """What must be set aside, or the least of it if `whole`."""
        return self.weights_bytes + self.activation_bytes + self.context_bytes


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
    aim_tokens=65_536,
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
