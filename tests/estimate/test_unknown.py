from __future__ import annotations

import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.base import CPU, CUDA, Estimate
from orchestrator.estimate.unknown import estimate_unknown
from orchestrator.units import GIB, MIB


def test_an_unknown_need_is_a_floor_and_the_gpu_whole() -> None:
    assert estimate_unknown("cuda") == Estimate(
        0, CUDA.floor_bytes, CUDA.context_bytes, budget_tokens=0, whole=True
    )
    assert estimate_unknown("cpu").total_bytes == CPU.floor_bytes + CPU.context_bytes


def test_the_users_amount_is_taken_as_it_is() -> None:
    found = estimate_unknown("cuda", gpu_memory=8 * GIB, weights_bytes=GIB)
    assert not found.whole
    assert found.total_bytes == 8 * GIB
    assert (found.weights_bytes, found.context_bytes) == (GIB, CUDA.context_bytes)


@pytest.mark.parametrize("asked", [1, CUDA.context_bytes])
def test_less_than_the_context_is_refused_with_what_is_enough(asked: int) -> None:
    with pytest.raises(OrchError) as caught:
        estimate_unknown("cuda", gpu_memory=asked)
    assert caught.value.fault.code is Code.BAD_VALUE
    enough = (CUDA.context_bytes + CUDA.floor_bytes) // MIB
    assert caught.value.fault.fix.startswith(f"set it to {enough}MiB or more")
