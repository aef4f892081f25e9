"""Models that fit on no GPU whole: planned with shards, and refused at submission."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.client.client import plan_from_json
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.snapshot import Owner
from orchestrator.units import GIB
from tests.client.big_model import big_model
from tests.controller.plant import Plant, request_for

LARGE, LARGER = 60, 200
"""Layers of a model for two GPUs of 24 GiB, and of one for more than these."""


def body(two: Plant, layers: int, **sections: Any) -> dict[str, Any]:  # noqa: ANN401
    big_model(two.folder / "big", layers=layers)
    model = {"id": "./big"}
    return request_for(two.folder, model=model, resources={}, **sections)


def refusal(two: Plant, request: dict[str, Any]) -> dict[str, Any]:
    answer = two.client.post("/v1/jobs", json=request)
    assert answer.status_code == 409, answer.text
    assert two.get("/v1/jobs?all=1")["jobs"] == []
    fault: dict[str, Any] = answer.json()["error"]["faults"][0]
    return fault


def test_a_model_for_two_gpus_is_planned_and_refused(two: Plant) -> None:
    request = body(two, LARGE)
    plan = plan_from_json(two.post("/v1/plan", request))
    assert isinstance(plan, Plan)
    assert plan.layout is not None
    assert (plan.layout.mode, plan.layout.shards) == ("tensor", 2)
    fault = refusal(two, request)
    assert (fault["code"], fault["exit_code"]) == ("E101", 5)
    assert "cannot run yet" in fault["message"]
    assert fault["facts"][1] == f"the plan: {plan.reason}"
    assert fault["fix"].startswith("add a GPU of 2")


def test_it_is_refused_where_it_would_wait_to_be_cut(two: Plant) -> None:
    other = Owner(7, "python", "ann", 20 * GIB)
    two.world.change(lambda: two.world.foreign.update({"GPU-0": other}))
    request = body(two, LARGE)
    assert two.post("/v1/plan", request)["diagnosis"]["ever"] is True
    assert "cannot run yet" in refusal(two, request)["message"]
    idle = two.post("/v1/plan", {**request, "assume_idle": True})
    assert len(idle["plan"]["placements"]) == 2


@pytest.mark.parametrize("mode", ["tensor", "pipeline"])
def test_a_cut_that_the_job_file_asks_for_is_refused(two: Plant, mode: str) -> None:
    fault = refusal(two, body(two, 10, placement={"mode": mode}))
    assert "cannot run yet" in fault["message"]
    assert fault["fix"].startswith("set placement.mode: replicate")


def test_a_module_that_cannot_be_cut_is_refused(two: Plant) -> None:
    fault = refusal(two, request_for(two.folder, placement={"shards": 2}))
    assert (fault["code"], fault["exit_code"]) == ("E101", 5)
    assert "the model cannot be cut" in fault["message"]


def test_what_is_too_large_for_both_says_what_would_do(two: Plant) -> None:
    fault = refusal(two, body(two, LARGER))
    assert "can never run on this cluster" in fault["message"]
    assert "to cut the model (not run yet)" in fault["fix"]


def test_what_could_be_cut_now_waits_to_run_whole(two: Plant) -> None:
    other = Owner(7, "python", "ann", 12 * GIB)
    foreign = {"GPU-0": other, "GPU-1": other}
    two.world.change(lambda: two.world.foreign.update(foreign))
    job = two.post("/v1/jobs", body(two, 36))["job"]["id"]
    view = two.until(job, lambda v: v["waiting"], "it waits")
    assert "foreign_use" in [why["tier"] for why in view["waiting"]]
    two.cancel(job)
    two.until_state(job, "CANCELLED")
