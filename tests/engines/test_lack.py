"""What an engine says when memory runs out, and what it measures of a module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from orchestrator.engines.base import Held
from orchestrator.engines.cuda import asked_bytes, out_of_memory
from orchestrator.engines.torch_module.execute import TorchExecutor
from orchestrator.errors import Code
from orchestrator.spec.job import Model
from orchestrator.units import GIB, KIB, MIB
from tests.engines.small_models import engine_spec
from tests.engines.user_modules import spec_of

TORCH = (
    "CUDA out of memory. Tried to allocate {}. GPU 0 has a total capacity of 139.80 GiB"
    " of which 1.25 GiB is free."
)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (TORCH.format("2.50 GiB"), 5 * GIB // 2),
        (TORCH.format("20.00 MiB"), 20 * MIB),
        (TORCH.format("512.00 KiB"), 512 * KIB),
        ("tried to allocate 300 bytes.", 300),
        (
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes",
            7,
        ),
        ("out of memory", 0),
    ],
)
def test_what_was_asked_for_is_read_from_torchs_words(said: str, asked: int) -> None:
    assert asked_bytes(torch.OutOfMemoryError(said)) == asked


def test_the_fault_has_the_numbers(tmp_path: Path) -> None:
    spec = replace(engine_spec(Model(id="m"), tmp_path), memory_bytes=4 * GIB)
    error = torch.OutOfMemoryError(TORCH.format("2.50 GiB"))
    fault = out_of_memory(spec, torch.device("cpu"), error, "It").fault
    assert fault.code is Code.OUT_OF_GPU_MEMORY
    assert fault.facts == (
        *("reserved: 4.0 GiB", "held: not known", "then asked for: 2.5 GiB"),
    )
    assert type(fault).from_json(fault.to_json()) == fault
    told = replace(fault, needed_bytes=6 * GIB)
    assert type(fault).from_json(told.to_json()) == told


@pytest.mark.parametrize(("dtype", "size"), [("auto", 4), ("bfloat16", 2)])
def test_a_modules_weights_are_counted_in_the_dtype_of_the_run(
    tmp_path: Path, dtype: str, size: int
) -> None:
    body = """
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)
        self.register_buffer("count", torch.zeros(5, dtype=torch.int64))

    def forward(self, x): return x
    """
    spec = spec_of(body, tmp_path)
    model = spec.model.model_copy(update={"dtype": dtype})
    executor = TorchExecutor(replace(spec, model=model))
    assert executor.load().weights_bytes == (4 * 3 + 3) * size + 5 * 8
    assert executor.held() == Held(), "on a CPU device nothing is measured"
