from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.fitting import Field, largest
from orchestrator.estimate.model import Logits, Shape, estimate_model
from orchestrator.units import GIB
from tests.estimate.configs import LLAMA_8B, llama_header

CASES: list[tuple[Field, int, int, int]] = [
    # field, most, memory, value: a thousand bytes, and ten for each token
    ("batch", 100, 1_000, 0),
    ("batch", 100, 2_000, 10),
    ("batch", 100, 2_009, 10),
    ("batch", 100, 90_000, 100),
    ("batch", 0, 90_000, 0),
    ("batch", 1, 1_099, 0),
    ("batch", 1, 1_100, 1),
    ("length", 50, 1_400, 20),
]


@pytest.mark.parametrize(("field", "most", "memory", "value"), CASES)
def test_the_largest_that_fits(
    field: Field, most: int, memory: int, value: int
) -> None:
    shape = Shape(2, 10)
    assert largest(shape, field, most, memory, a_line) == value


@given(st.integers(0, 10_000), st.integers(0, 200))
def test_it_fits_and_one_more_does_not(memory: int, most: int) -> None:
    shape = Shape(2, 10)
    found = largest(shape, "batch", most, memory, a_line)
    assert found == 0 or a_line(Shape(found, 10)).total_bytes <= memory
    assert found == most or a_line(Shape(found + 1, 10)).total_bytes > memory


def test_the_context_that_llama_8b_may_have_on_24_gib() -> None:
    weights = llama_header(LLAMA_8B)
    shape = Shape(1, 512, context=1, logits=Logits.LAST)
    found = largest(
        shape,
        "context",
        131_072,
        24 * GIB,
        lambda s: estimate_model(
            LLAMA_8B, weights, s, dtype="bfloat16", kind="cuda", gpu_model="NVIDIA L4"
        ),
    )
    # 16.1 GB of weights leave about 8.3 GiB less context: 8,192 tokens a GiB.
    assert 60_000 < found < 70_000


def a_line(shape: Shape) -> Estimate:
    return Estimate(1_000, 10 * shape.tokens, 0, 0)
