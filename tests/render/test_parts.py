from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.estimate.model import Shape
from orchestrator.render.parts import parts_note, whole_note
from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.units import GIB, MIB

PARTS = (
    *(("weights", GIB), ("kv_cache", 0), ("activations", 2 * GIB)),
    *(("context", 600 * MIB), ("workspace", 32 * MIB), ("slack", 0)),
)


@pytest.mark.parametrize(
    ("shape", "batches"),
    [
        (None, ""),
        (Shape(1, 131_072, packed=True), ", for batches of 131,072 tokens"),
        (Shape(8, 512), ", for batches of 8 rows of 512 tokens"),
        (Shape(1, 512), ", for batches of 1 row of 512 tokens"),
        (Shape(64), ", for batches of 64 rows"),
    ],
)
def test_the_parts_of_the_rest_are_told(shape: Shape | None, batches: str) -> None:
    demand = Demand("k", 1, 2, 3, parts=PARTS, shape=shape)
    assert parts_note(demand) == (
        f"REST = activations 2.0 GiB + context 0.6 GiB + workspace 32 MiB{batches}."
    )


def test_without_parts_the_sums_are_told() -> None:
    known = Demand("k", GIB, 2 * GIB, 600 * MIB)
    assert parts_note(known) == "REST = activations 2.0 GiB + context 0.6 GiB."
    assert parts_note(replace(known, whole=True)) == ""


def test_a_module_on_a_cpu_is_not_measured() -> None:
    whole, known = Demand("k", 1, 2, 3, whole=True), Demand("k", 1, 2, 3)
    assert "not on CPU devices" in whole_note(whole, DeviceKind.CPU)
    assert whole_note(whole, DeviceKind.CUDA) == whole_note(known, DeviceKind.CPU) == ""
