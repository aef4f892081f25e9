"""What only a GPU can tell: constants by GPU model, few, and fitted.

`python -m benchmarks.memory_estimate --calibrate` prints them for the GPU it runs on.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.units import KIB, MIB


@dataclass(frozen=True, slots=True)
class GpuConstants:
    """What a process takes of one GPU model, whatever it runs."""

    context_bytes: int
    """CUDA's context with the kernels that PyTorch loads."""
    workspace_bytes: int
    """cuBLAS's scratch space, which PyTorch takes from its allocator once."""


_WORKSPACE = 2 * 4096 * KIB + 8 * 16 * KIB
_WORKSPACE_NEWER = 32 * MIB
"""From compute capability 9.0; aten/src/ATen/cuda/CublasHandlePool.cpp,
parseChosenWorkspaceSize: `:4096:2:16:8`, and 8 x 4096 KiB on Hopper and Blackwell.
cublasLt shares it (TORCH_CUBLASLT_UNIFIED_WORKSPACE)."""
_NEWER = ("H100", "H200", "H800", "H20", "GH200", "B100", "B200", "B300", "GB", "5090")
_CONTEXT_UNMEASURED = 600 * MIB
_CONTEXT: dict[str, int] = {}
"""Measured, by the name that NVML gives the GPU."""


def gpu_constants(gpu_model: str) -> GpuConstants:
    """The constants of a GPU model by its NVML name, such as `NVIDIA H200`."""
    words = gpu_model.replace("-", " ").split()
    newer = any(word.startswith(name) for word in words for name in _NEWER)
    return GpuConstants(
        context_bytes=_CONTEXT.get(gpu_model, _CONTEXT_UNMEASURED),
        workspace_bytes=_WORKSPACE_NEWER if newer or not gpu_model else _WORKSPACE,
    )
