"""What the store takes and gives: plain values, JSON already read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State

SEQ_PER_JOB = 1 << 20
"""A job's `seq` is its number times this; its tasks' follow, each plus one."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """One task of a job to be accepted; `{id}` in `output` becomes its number."""

    name: str
    output: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be accepted.

    Attributes:
        kind: Of the job file: batch, command.
        name: For people; need not be unique.
        request: What was submitted, as JSON, without the values of secrets.
        output: Where the results go; `{id}` becomes the job's number.
        created_at: RFC 3339, in UTC, as every time here.
        run: Unique id of the run, by which finished rows are known as its own.
        user: Who submitted it.
        priority: Higher goes first.
        after: Jobs to wait for, as `{"job": 41, "when": "ok"}`.
        not_before: It may not start earlier than this.
        max_parallel: How many of its tasks may run at once; `None`: all.
        needs: What the queue must know of it, as JSON.
        tasks: An array's; empty for a plain job.
        secrets: Names and values; they are deleted when the job is over.
    """

    kind: str
    name: str
    request: Mapping[str, Any]
    output: str
    created_at: str
    run: str = ""
    user: str = ""
    priority: int = 0
    after: tuple[Mapping[str, Any], ...] = ()
    not_before: str | None = None
    max_parallel: int | None = None
    needs: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[NewTask, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands: all that changes in its life."""

    state: State
    view: Mapping[str, Any]
    attempt: int = 1
    cause: str = ""
    not_before: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, or a task of one, as it stands in the store.

    Attributes:
        key: The job's number, and the task's.
        seq: Its place in the order of submission, among jobs and tasks alike.
        cause: Why its last attempt did not succeed, or empty.
        tasks: How many it has; 0: it runs itself.
        view: What was last saved of it; empty until then.
    """

    key: JobKey
    kind: str
    name: str
    state: State
    priority: int
    seq: int
    attempt: int
    cause: str
    output: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    not_before: str | None
    after: tuple[dict[str, Any], ...]
    run: str
    user: str
    tasks: int
    max_parallel: int | None
    view: dict[str, Any]

    @property
    def id(self) -> int:
        """The job's number."""
        return self.key.number


class QueuedRow(NamedTuple):
    """What the queue must know of a job or task that waits; there may be many."""

    key: JobKey
    priority: int
    seq: int
    not_before: str | None
    has_after: bool
    max_parallel: int | None
    """Of the array it is a task of."""
    needs: Mapping[str, Any]
    """What the queue must know of it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A job that a name was found to mean."""

    key: JobKey
    name: str
    state: State


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of a job's story; `n` counts from 1, with gaps where lines are gone."""

    n: int
    at: str
    event: dict[str, Any]
    state: State
    does: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt that is over."""

    attempt: int
    state: State
    cause: str
    text: str
    started_at: str | None
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """One GPU held by one job for a while.

    Attributes:
        key: The job, or the task, that held it.
        name: The job's.
        kind: The job's.
        model: What it ran, or empty.
        user: Who submitted it.
        gpu: The GPU's UUID.
        gpu_name: As people know it: `local:0`.
        gpu_model: What is printed on it.
        started_at: When it was leased.
        finished_at: When it was given back; `None`: it is held.
    """

    key: JobKey
    name: str
    kind: str
    model: str
    user: str
    gpu: str
    gpu_name: str
    gpu_model: str
    started_at: str
    finished_at: str | None = None
