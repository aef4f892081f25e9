"""A cell on a GPU: what is reserved and the context, and whether it fits as said."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.memory.cells import Cell
from benchmarks.memory.inference import infer, inputs, ready
from benchmarks.memory.rivals import accelerate_bytes
from benchmarks.memory.shapes import SHAPES, header
from benchmarks.memory.table import Measured
from orchestrator.estimate.gpus import gpu_constants
from orchestrator.estimate.model import estimate_model, least_gpu_memory

_PASSES = 2
_ROUNDING = 4096
_WARM = [
    Cell("minilm", dtype, 8, 128, mode)
    for dtype in ("float32", "float16", "bfloat16")
    for mode in ("body", "engine")
    if (dtype, mode) != ("float32", "engine")
]


class Gpu:
    """The GPU this process measures on, and what CUDA itself takes of it."""

    def __init__(self) -> None:
        """Read what others use before CUDA starts."""
        self._before = _used_by_nvml()
        torch.cuda.init()  # type: ignore[no-untyped-call]
        self.name = torch.cuda.get_device_name(0)
        self.total = torch.cuda.get_device_properties(0).total_memory
        self._set_up_cublas()
        # Without NVML all that is gone at the start counts as ours.
        self.source = "mem_get_info" if self._before is None else "NVML"

    def context_bytes(self) -> int:
        """What this process takes beside what PyTorch's allocator reserves."""
        torch.cuda.synchronize()
        if self._before is None:
            free, total = torch.cuda.mem_get_info(0)
            used = total - free
        else:
            used = (_used_by_nvml() or 0) - self._before
        return used - torch.cuda.memory_reserved(0)

    def warm(self) -> None:
        """Load the kernels that any model needs."""
        for cell in _WARM:
            with _model(cell) as (module, given):
                _passes(cell, module, given)

    def measure(self, cell: Cell) -> Measured:
        """Run a cell freely, then in what was estimated, then in too little."""
        with _model(cell) as (module, given):
            weights = sum(t.numel() * t.element_size() for t in module.parameters())
            torch.cuda.reset_peak_memory_stats(0)
            _passes(cell, module, given)
            reserved = torch.cuda.max_memory_reserved(0)
            context = self.context_bytes()
            said, least = self._estimates(cell)
            assumed = gpu_constants(self.name).context_bytes
            enough = self._runs(cell, module, given, said - assumed)
            too_little = least * 9 // 10 - assumed
            short = self._runs(cell, module, given, too_little)
        return Measured(
            cell,
            peak_bytes=reserved + context,
            ours_bytes=said,
            context_bytes=context,
            assumed_bytes=assumed,
            weights_bytes=weights,
            accelerate_bytes=accelerate_bytes(SHAPES[cell.model], cell.dtype),
            fits="yes" if enough else "OOM",
            short="runs" if short else "oom",
        )

    def workspace_bytes(self) -> int:
        """What stays reserved when no model is there."""
        _empty()
        return int(torch.cuda.memory_reserved(0))

    def _set_up_cublas(self) -> None:
        """Its scratch space stays; it must not stay within a segment of a model's."""
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            ones = torch.ones(64, 64, dtype=dtype, device="cuda")
            torch.addmm(ones[0], ones, ones)
        _empty()

    def _estimates(self, cell: Cell) -> tuple[int, int]:
        shape = SHAPES[cell.model]
        module = shape.built(getattr(torch, cell.dtype), "meta")
        config, tensors = shape.read().to_dict(), header(module)
        said = estimate_model(
            config,
            tensors,
            cell.shape,
            dtype=cell.dtype,
            kind="cuda",
            gpu_model=self.name,
        )
        least = least_gpu_memory(
            config, tensors, cell.shape, dtype=cell.dtype, gpu_model=self.name
        )
        return said.total_bytes, least

    def _runs(
        self,
        cell: Cell,
        module: Any,  # noqa: ANN401 - a transformers model
        given: dict[str, torch.Tensor],
        limit: int,
    ) -> bool:
        _empty()
        if limit < torch.cuda.memory_reserved(0):
            return False
        # A fraction is not exact to the byte.
        share = min(1.0, (limit + _ROUNDING) / self.total)
        torch.cuda.set_per_process_memory_fraction(share, 0)
        try:
            _passes(cell, module, given)
        except torch.OutOfMemoryError:
            return False
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, 0)
        return True


@contextmanager
def _model(cell: Cell) -> Iterator[tuple[Any, dict[str, torch.Tensor]]]:
    """The cell's model and its inputs, alone on the GPU."""
    _empty()
    module = SHAPES[cell.model].built(getattr(torch, cell.dtype), "cuda")
    ready(cell, module)
    given = inputs(cell, module, "cuda")
    _empty()
    yield module, given


def _passes(cell: Cell, module: Any, given: dict[str, torch.Tensor]) -> None:  # noqa: ANN401
    with torch.inference_mode():
        for _ in range(_PASSES):
            infer(cell, module, given)
    torch.cuda.synchronize()


def _empty() -> None:
    gc.collect()
    torch.cuda.empty_cache()


def _used_by_nvml() -> int | None:
    try:
        import pynvml  # noqa: PLC0415

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)
    except Exception:  # noqa: BLE001 - whatever is missing, there is another way
        return None
