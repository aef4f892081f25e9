"""The job file as data. Unknown keys are errors: a typo must never be ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from orchestrator.spec.after import After, When
from orchestrator.spec.array_section import Array, IndexRange
from orchestrator.spec.batch import (
    Batch,
    BatchJob,
    Input,
    Model,
    Output,
    Params,
    Placement,
)
from orchestrator.spec.command import CommandJob
from orchestrator.spec.durations import Backoff
from orchestrator.spec.header import Destination, Header, Retry, Timeout
from orchestrator.spec.kinds import KINDS
from orchestrator.spec.resources import CommandResources, GpuRange, Resources
from orchestrator.spec.section import Section
from orchestrator.spec.suggest import closest

__all__ = [
    "JOBS",
    "KINDS",
    "After",
    "Array",
    "Backoff",
    "Batch",
    "BatchJob",
    "CommandJob",
    "CommandResources",
    "Destination",
    "GpuRange",
    "Header",
    "IndexRange",
    "Input",
    "Job",
    "Model",
    "Output",
    "Params",
    "Placement",
    "Resources",
    "Retry",
    "Section",
    "Timeout",
    "When",
    "job_class",
    "validate_job",
]

Job: TypeAlias = BatchJob | CommandJob
"""A job file of any kind."""

JOBS: Mapping[str, type[BatchJob] | type[CommandJob]] = {
    "batch": BatchJob,
    "command": CommandJob,
}


def validate_job(data: object) -> Job:
    """The job that data from outside stands for; the inverse of `model_dump`.

    Raises:
        pydantic.ValidationError: All that is wrong with it.
    """
    return job_class(data).model_validate(data)


def job_class(data: object) -> type[BatchJob] | type[CommandJob]:
    """The class of the kind that `data` names; if it names none, the likeliest."""
    if not isinstance(data, Mapping):
        return BatchJob
    kind = data.get("kind")
    meant = closest(kind, KINDS) if isinstance(kind, str) else None
    return JOBS[meant or ("command" if "run" in data else "batch")]
