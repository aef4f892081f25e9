"""Runs the user's module on batches of rows, in the engine's process.

Two methods a module may have beside `forward`:

    def preprocess(self, rows: list[dict]) -> tuple of tensors
        The arguments of forward from rows as they stand in the input; tensors are
        moved to the GPU afterwards. Without it forward gets a tensor per input field.
    def postprocess(self, output) -> list[dict]
        The columns of every row, from what forward returned.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from orchestrator.engines import cuda
from orchestrator.engines.base import Batch, Columns, EngineSpec, Held, Loaded
from orchestrator.engines.growth import Growth
from orchestrator.engines.torch_module.outputs import Pending, join, pending
from orchestrator.engines.torch_module.prepare import RowBatch
from orchestrator.engines.torch_module.user_code import UserCode
from orchestrator.engines.transfer import to_device
from orchestrator.errors import OrchError
from orchestrator.estimate.batches import MOST_ROWS
from orchestrator.estimate.known import Profile
from orchestrator.estimate.model import Shape
from orchestrator.scheduling.snapshot import DeviceKind

_CPU_ROWS = 64
_FIRST_ROWS = 8


class TorchExecutor:
    """The user's module on its GPU."""

    def __init__(self, spec: EngineSpec) -> None:
        """Nothing is touched before `load`."""
        self._spec = spec
        self._device: torch.device
        self._module: Any
        self._dtype: torch.dtype
        self._code = UserCode(spec.code, spec.folder)
        on_gpu = spec.kind is DeviceKind.CUDA
        self._most = (spec.budget or MOST_ROWS) if on_gpu else _CPU_ROWS
        # Its trials are the job's own rows, so they cost no time.
        self._growth = Growth(_FIRST_ROWS, self._most, spec.memory_bytes, math.inf)
        self._warm = False
        self._weights_bytes = 0
        self._small: dict[int, int] = {}
        """Rows of the first trials -> what they took beside the weights."""
        self._largest = 0
        """Rows of the largest batch, since the peak was last forgotten."""

    def load(self) -> Loaded:
        """Import the module's file, make the module and put it on the GPU.

        Raises:
            OrchError: E102 the GPU does not start, E103 the module cannot be made,
                E104 it needs more memory than was reserved.
        """
        started = time.monotonic()
        self._device = cuda.open_device(self._spec)
        try:
            self._module = self._place(self._code.build(self._spec))
        except (RuntimeError, MemoryError) as error:
            if not cuda.is_out_of_memory(error):
                raise
            raise self.too_large(error) from error
        tensors = _tensors(self._module)
        floats = (t.dtype for t in tensors if t.is_floating_point())
        self._dtype = next(floats, torch.float32)
        on_gpu = self._device.type == "cuda"
        if on_gpu:
            self._growth = Growth(
                _FIRST_ROWS,
                self._most,
                self._spec.memory_bytes,
                math.inf,
                base_bytes=cuda.peak_bytes(self._device),
                promised=self._spec.budget,
            )
        return Loaded(
            description=f"{self._spec.model.entry}, {str(self._dtype)[6:]}",
            weights_bytes=self._weights_bytes,
            budget=self._most,
            device=cuda.device_name(self._device),
            gpu=cuda.gpu_uuid() if on_gpu else "",
            seconds=time.monotonic() - started,
        )

    @torch.inference_mode()
    def launch(self, batch: Batch) -> Callable[[], Columns]:
        """Queue a batch, on a GPU in parts whose size the first batches find.

        Raises:
            OrchError: E401, the user's code raised, with their traceback, or its
                output has not one value a row.
        """
        if not isinstance(batch, RowBatch):
            raise TypeError(f"expected a RowBatch, got {type(batch).__name__}")
        waits = [self._start(part) for part in self._parts(batch)]

        @torch.inference_mode()
        def result() -> Columns:
            return join([wait() for wait in waits])

        return result

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether this error means that the GPU had no memory left."""
        return cuda.is_out_of_memory(error)

    def trim(self) -> None:
        """Give unused cached memory back."""
        cuda.trim(self._device)

    def too_large(self, error: BaseException) -> OrchError:
        """E104 for that error: what was reserved, held and asked for."""
        return cuda.out_of_memory(
            self._spec,
            self._device,
            error,
            f"{self._spec.model.entry}",
            weights_bytes=self._weights_bytes,
        )

    def held(self) -> Held:
        """The most memory it has held on its GPU so far; nothing on a CPU device."""
        if self._device.type == "cpu" or not self._largest:
            return Held()
        small = tuple(sorted(self._small.items()))
        return Held(
            cuda.peak_bytes(self._device),
            Shape(batch=self._largest),
            settled=self._growth.done and self._growth.settled,
            profile=Profile(self._weights_bytes, small) if len(small) > 1 else None,
        )

    def _place(self, module: torch.nn.Module) -> torch.nn.Module:
        dtype = self._spec.model.dtype
        chosen = None if dtype == "auto" else getattr(torch, dtype)
        module.eval().requires_grad_(requires_grad=False)
        self._weights_bytes = sum(_bytes(t, chosen) for t in _tensors(module))
        return module.to(self._device, chosen)

    def _parts(self, batch: RowBatch) -> Iterator[RowBatch]:
        start, count = 0, len(batch.rows)
        while start < count:
            size = self._most if self._device.type == "cpu" else self._growth.size
            yield batch.part(start, start + size)
            start += size

    def _start(self, part: RowBatch) -> Pending:
        if self._device.type == "cpu" or self._growth.done:
            return self._forward(part)
        return self._measured(part)

    def _measured(self, part: RowBatch) -> Pending:
        """Run it, wait, and learn from time and memory what size is best."""
        size = len(part.rows)
        cuda.synchronize(self._device)
        started = time.monotonic()
        try:
            wait = self._forward(part)
            cuda.synchronize(self._device)
        except torch.OutOfMemoryError:
            if not self._growth.overflow():
                raise
            self.trim()
            halves = part.halves()
            first, second = (self._forward(half) for half in halves)
            return lambda: join([first(), second()])
        if self._warm and size == self._growth.size:
            self._learn(size, time.monotonic() - started)
        self._warm = True
        return wait

    def _learn(self, rows: int, seconds: float) -> None:
        """A trial has run: what it took, whether a larger one is worth it."""
        if rows in (_FIRST_ROWS, 2 * _FIRST_ROWS):
            used = cuda.used_bytes(self._device)
            self._small[rows] = max(0, used - self._weights_bytes)
        self._growth.record(seconds, cuda.peak_bytes(self._device))
        if self._growth.done and self._growth.settled:
            # What larger trials took says nothing of the size that stays.
            self.trim()
            cuda.reset_peak(self._device)
            self._largest = 0

    def _forward(self, part: RowBatch) -> Pending:
        try:
            output = self._module(*self._inputs(part))
        except (SystemExit, Exception) as error:
            if self.is_out_of_memory(error):
                raise
            raise self._code.raised("forward", error) from error
        self._largest = max(self._largest, len(part.rows))
        if hasattr(self._module, "postprocess"):
            return self._postprocess(output, len(part.rows))
        return pending(output, len(part.rows))

    def _postprocess(self, output: Any, rows: int) -> Pending:  # noqa: ANN401
        def wait() -> Columns:
            try:
                records = self._module.postprocess(output)
            except (SystemExit, Exception) as error:
                if self.is_out_of_memory(error):
                    raise
                raise self._code.raised("postprocess", error) from error
            return pending(records, rows)()

        return wait

    def _inputs(self, part: RowBatch) -> tuple[Any, ...]:
        if not hasattr(self._module, "preprocess"):
            return tuple(self._moved(column) for column in part.fields)
        names = self._spec.fields
        rows = [
            dict(zip(names, v, strict=True)) for v in zip(*part.fields, strict=True)
        ]
        made = self._module.preprocess(rows)
        inputs = made if isinstance(made, (tuple, list)) else (made,)
        return tuple(self._moved(value) for value in inputs)

    def _moved(self, value: Any) -> Any:  # noqa: ANN401 - arrays, tensors, lists
        if isinstance(value, np.ndarray):
            value = to_device(value, self._device)
        if not isinstance(value, torch.Tensor):
            return value
        dtype = self._dtype if value.is_floating_point() else None
        return value.to(self._device, dtype, non_blocking=True)


def _tensors(module: torch.nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]


def _bytes(tensor: torch.Tensor, dtype: torch.dtype | None) -> int:
    """What a tensor takes once its floats are of this dtype, if one is asked for."""
    size = tensor.element_size()
    if dtype is not None and tensor.is_floating_point():
        size = dtype.itemsize
    return tensor.numel() * size
