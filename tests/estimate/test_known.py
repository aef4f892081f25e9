from __future__ import annotations

from orchestrator.estimate.base import Estimate
from orchestrator.estimate.known import Known, Seen
from orchestrator.estimate.measured import Peak
from orchestrator.estimate.model import Shape

SMALL, LARGE = Shape(batch=8), Shape(batch=64)
ESTIMATE = Estimate(100, 50, 10, 64)


def seen(shape: Shape, amount: int, gpu: str = "A", **what: bool) -> Seen:
    return Seen(Peak(shape, amount, gpu), **what)


def test_on_several_gpu_models_the_largest_need_counts() -> None:
    known = Known((seen(LARGE, 140), seen(LARGE, 150, "B")))
    totals = {
        models: known.corrected(ESTIMATE, LARGE, models).total_bytes
        for models in (("A",), ("B",), ("A", "B"), ("A", "C"))
    }
    # Of C only the estimate is known, and that it takes no less than others did.
    assert totals == {("A",): 140, ("B",): 150, ("A", "B"): 150, ("A", "C"): 160}


def test_what_lacked_memory_raises_every_batch_and_scales_none() -> None:
    known = Known((seen(SMALL, 200, lacked=True),))
    for shape in (Shape(batch=1), SMALL, LARGE):
        found = known.corrected(ESTIMATE, shape, ("A",))
        assert (found.total_bytes, found.measured) == (200, True)
    assert known.with_floor(ESTIMATE.with_total(201)).total_bytes == 201
    assert known.most_bytes() == 200


def test_the_wanted_batch_is_known_once_every_gpu_model_has_settled() -> None:
    known = Known(
        (
            seen(SMALL, 1, settled=True),
            seen(Shape(batch=512), 9),
            seen(LARGE, 1, "B", settled=True),
            seen(LARGE, 1, "C", lacked=True),
        )
    )
    assert known.wanted(("A",)) == 8
    assert known.wanted(("A", "B")) == 64
    assert known.wanted(("A", "C")) == known.wanted(()) == 0


def test_of_nothing_seen_nothing_follows() -> None:
    assert Known().corrected(ESTIMATE, SMALL, ("A",)) == ESTIMATE
    assert (Known().most_bytes(), Known().wanted(("A",))) == (0, 0)
