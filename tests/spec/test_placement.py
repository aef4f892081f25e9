"""Which GPUs, shared or not, and how the model is laid on them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.spec.job import BatchJob, Placement, Resources, validate_job

JOB: dict[str, Any] = {
    "version": 1,
    "kind": "batch",
    "model": {"id": "m"},
    "input": {"path": "rows.jsonl"},
}

TYPES = [
    ("A100", ("A100",)),
    ("cc>=8.0", ("cc>=8.0",)),
    ("cc >= 8", ("cc >= 8",)),
    (["A100", "H100", "cc<9.0"], ("A100", "H100", "cc<9.0")),
    ([], ()),
]


@pytest.mark.parametrize(("written", "read"), TYPES)
def test_types_of_gpus_are_one_or_several(written: object, read: object) -> None:
    assert Resources.model_validate({"gpu_type": written}).gpu_type == read


@pytest.mark.parametrize("written", ["cc>8.0.1", "cc>=", "cc=>8", [""], 80, [8.0]])
def test_what_is_no_type_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        Resources.model_validate({"gpu_type": written})


def test_a_job_says_how_it_is_to_be_laid_out() -> None:
    placed = {"mode": "tensor", "replicas": 2, "shards": 4}
    job = validate_job({**JOB, "objective": "latency", "placement": placed})
    assert isinstance(job, BatchJob)
    assert job.objective == "latency"
    assert job.placement == Placement(mode="tensor", replicas=2, shards=4)
    assert validate_job(job.model_dump(mode="json")) == job


def test_a_job_that_says_nothing_leaves_it_to_the_planner() -> None:
    job = validate_job(JOB)
    assert isinstance(job, BatchJob)
    assert (job.objective, job.placement) == ("throughput", Placement())
    assert (job.resources.share, job.resources.gpu_type) == (False, ())


@pytest.mark.parametrize("placed", [{"mode": "both"}, {"replicas": 0}, {"shard": 2}])
def test_what_is_no_layout_is_refused(placed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        validate_job({**JOB, "placement": placed})
