from __future__ import annotations

import pytest

from orchestrator.scheduling.gpu_type import matches

# wanted, model, compute capability in tenths, matches
CASES = [
    ((), "NVIDIA H100", 90, True),
    (("H100",), "NVIDIA H100 80GB HBM3", 90, True),
    (("h100",), "NVIDIA H100 80GB HBM3", 90, True),
    (("A10",), "NVIDIA A100-SXM4-80GB", 80, False),
    (("A100-SXM4-80GB",), "NVIDIA A100-SXM4-80GB", 80, True),
    (("RTX 4090",), "NVIDIA GeForce RTX 4090", 89, True),
    (("4090 RTX",), "NVIDIA GeForce RTX 4090", 89, False),
    (("T4", "V100"), "Tesla V100", 70, True),
    (("cc>=8.0",), "x", 80, True),
    (("cc>=8.0",), "x", 79, False),
    (("cc >= 8",), "x", 80, True),
    (("cc>8.0",), "x", 80, False),
    (("cc<=8.0",), "x", 80, True),
    (("cc<8.0",), "x", 75, True),
    (("cc==8.9",), "x", 89, True),
    (("cc=8.9",), "x", 86, False),
    (("cc>=10.0",), "x", 100, True),
    (("cc>=8.0", "cc<9.0"), "x", 90, False),
    (("cc>=8.0", "A100", "H100"), "NVIDIA H100", 90, True),
    (("cc>=8.0", "A100"), "NVIDIA H100", 90, False),
    (("cc<9.0",), "x", 0, False),
]


@pytest.mark.parametrize(("wanted", "model", "compute", "expected"), CASES)
def test_a_gpu_is_of_a_wanted_type(
    wanted: tuple[str, ...], model: str, compute: int, expected: bool
) -> None:
    assert matches(wanted, model, compute) is expected
