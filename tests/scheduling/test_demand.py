from __future__ import annotations

from orchestrator.estimate.base import Estimate
from orchestrator.scheduling.demand import demand_of
from orchestrator.scheduling.plan import Demand
from orchestrator.spec.job import GpuRange, Resources


def test_a_demand_is_the_estimate_within_what_the_job_allows() -> None:
    estimate = Estimate(5, 3, 2, budget_tokens=7, whole=True)
    resources = Resources(gpus=GpuRange(minimum=2, maximum=4), exclude=("a:0",))
    assert demand_of(estimate, resources, "K", measured=True) == Demand(
        engine_key="K",
        weights_bytes=5,
        activation_bytes=3,
        context_bytes=2,
        minimum=2,
        maximum=4,
        exclude=("a:0",),
        measured=True,
        whole=True,
    )
