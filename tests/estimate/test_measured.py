from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.measured import Peak, corrected
from orchestrator.estimate.model import Logits, Shape

OURS, OTHER = "NVIDIA H200", "NVIDIA L4"
SHAPE = Shape(32, 128)
ESTIMATE = Estimate(1000, 3000, 500, 4096, slack_bytes=400)
"""4,900 in all, of which 1,500 do not move."""

CASES = [
    # name, peaks, total, measured
    ("nothing seen", [], 4900, False),
    ("the same took more", [Peak(SHAPE, 6000, OURS)], 6000, True),
    ("the same took less", [Peak(SHAPE, 4000, OURS)], 4000, True),
    ("the most of several", [Peak(SHAPE, n, OURS) for n in (4000, 4100)], 4100, True),
    ("half of it took much", [Peak(Shape(16, 128), 4000, OURS)], 6500, True),
    ("half of it took little", [Peak(Shape(16, 128), 2000, OURS)], 4900, False),
    ("twice of it took little", [Peak(Shape(64, 128), 4500, OURS)], 4500, True),
    ("twice of it took much", [Peak(Shape(64, 128), 9999, OURS)], 4900, False),
    ("other GPU, same shape", [Peak(SHAPE, 6000, OTHER)], 6000, True),
    ("other GPU, it took less", [Peak(SHAPE, 4000, OTHER)], 4900, False),
    ("longer rows, fewer", [Peak(Shape(16, 512), 9999, OURS)], 4900, False),
    (
        "logits are another work",
        [Peak(Shape(1, 1, 0, Logits.ALL), 9999, OURS)],
        4900,
        False,
    ),
]


@pytest.mark.parametrize(
    ("peaks", "total", "measured"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_peaks_correct_the_estimate(
    peaks: list[Peak], total: int, measured: bool
) -> None:
    found = corrected(ESTIMATE, SHAPE, peaks, OURS)
    assert (found.total_bytes, found.measured) == (total, measured)
    assert found.weights_bytes == ESTIMATE.weights_bytes


SHAPES = st.builds(Shape, st.integers(1, 64), st.sampled_from([64, 128, 256]))
PEAKS = st.lists(
    st.builds(Peak, SHAPES, st.integers(0, 10**6), st.sampled_from([OURS, OTHER])),
    max_size=6,
)


@given(SHAPES, PEAKS)
def test_never_below_what_the_same_or_less_took_on_this_gpu(
    shape: Shape, peaks: list[Peak]
) -> None:
    found = corrected(ESTIMATE, shape, peaks, OURS)
    exact = [p.bytes for p in peaks if p.shape == shape and p.gpu_model == OURS]
    smaller = [
        p.bytes
        for p in peaks
        if p.shape.batch <= shape.batch and p.shape.length <= shape.length
    ]
    floor = max(exact or smaller, default=0)
    assert found.total_bytes >= floor
    assert all(amount >= 0 for _, amount in found.parts())
