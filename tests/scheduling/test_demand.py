from __future__ import annotations

from orchestrator.estimate.base import Estimate
from orchestrator.scheduling.demand import demand_of
from orchestrator.scheduling.layout import Mode, Objective
from orchestrator.scheduling.plan import Demand
from orchestrator.spec.job import GpuRange, Placement, Resources
from orchestrator.units import MIB


def test_a_demand_has_what_the_job_file_forces() -> None:
    resources = Resources(
        gpu_type=("A100", "cc>=8.0"), share=True, cpus=1.5, memory="1MiB"
    )
    demand = demand_of(
        Estimate(5, 3, 2, budget_tokens=7, kv_cache_bytes=4),
        resources,
        "K",
        placement=Placement(mode="tensor", replicas=2, shards=4),
        objective="latency",
    )
    assert demand.reserve_bytes == 14
    assert (demand.gpu_type, demand.share) == (("A100", "cc>=8.0"), True)
    assert (demand.cpu_milli, demand.ram_bytes) == (1500, MIB)
    assert (demand.mode, demand.replicas, demand.shards) == (Mode.TENSOR, 2, 4)
    assert demand.objective is Objective.LATENCY


def test_a_demand_is_the_estimate_within_what_the_job_allows() -> None:
    estimate = Estimate(5, 3, 2, budget_tokens=7, whole=True, measured=True)
    resources = Resources(gpus=GpuRange(minimum=2, maximum=4), exclude=("a:0",))
    assert demand_of(estimate, resources, "K") == Demand(
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
