"""A job as the controller shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.client.known import instant, known
from orchestrator.client.parts import (
    AttemptView,
    CommandView,
    Progress,
    ReplicaView,
    Returned,
    TaskCounts,
    Waiting,
)
from orchestrator.errors import (
    EXIT_CANCELLED,
    EXIT_JOB_FAILED,
    EXIT_LOST,
    EXIT_NOT_FINISHED,
    EXIT_NOT_NOW,
    EXIT_OK,
    EXIT_TIME_LIMIT,
    Fault,
)
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.scheduling.plan import Diagnosis, Plan

QUEUE_TIMEOUT = "queue_timeout"
_EXIT_CODES = {
    State.SUCCEEDED: EXIT_OK,
    State.CANCELLED: EXIT_CANCELLED,
    State.TIMEOUT: EXIT_TIME_LIMIT,
    State.LOST: EXIT_LOST,
    State.SKIPPED: EXIT_JOB_FAILED,
}


@dataclass(frozen=True, slots=True)
class JobView:
    """A job, a task of one, or an array; `document` is the JSON it came as.

    Attributes:
        key: `42`, or `42.3` for a task.
        position: Its place in the queue from 1, while it waits.
        after: For each job it waits for: its id and `ok`, `any` or `fail`.
        tasks: How its tasks stand; `None` for what is no array.
        command: `None` for other kinds.
        attempts: The ones before the present one.
        returned: Memory that was seen free at the end.
        logs: The folder of its logs, on the controller's machine; may be empty.
    """

    id: int
    name: str
    kind: str
    state: State
    version: int
    model: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    plan: Plan | None
    diagnosis: Diagnosis | None
    progress: Progress
    replicas: tuple[ReplicaView, ...]
    output: str
    results: str | None
    faults: tuple[Fault, ...]
    notices: tuple[str, ...]
    key: JobKey
    priority: int
    attempt: int
    cause: str
    waiting: tuple[Waiting, ...]
    position: int | None
    after: tuple[tuple[int, str], ...]
    not_before: datetime | None
    tasks: TaskCounts | None
    command: CommandView | None
    attempts: tuple[AttemptView, ...]
    returned: tuple[Returned, ...]
    logs: str
    document: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> JobView:
        """A job from the controller's JSON.

        Keys it does not know are left out; what an older controller does not send
        has its plain meaning: no task, the first attempt, nothing to wait for.
        """
        return cls(
            id=data["id"],
            name=data["name"],
            kind=data["kind"],
            state=State(data["state"]),
            version=data["version"],
            model=data["model"],
            progress=Progress(**known(Progress, data["progress"])),
            replicas=tuple(map(ReplicaView.from_json, data["replicas"])),
            output=data["output"],
            results=data["results"],
            faults=tuple(map(Fault.from_json, data["faults"])),
            notices=tuple(data["notices"]),
            document=data,
            **_times(data),
            **_placing(data),
            **_identity(data),
            **_queueing(data),
            **_ending(data),
        )

    @property
    def exit_code(self) -> int:
        """What a command that waited for this job exits with."""
        if self.cause == QUEUE_TIMEOUT:
            return EXIT_NOT_NOW
        if self.state is State.FAILED:
            return self.faults[0].exit_code if self.faults else EXIT_JOB_FAILED
        return _EXIT_CODES.get(self.state, EXIT_NOT_FINISHED)

    @property
    def seconds(self) -> float:
        """From submission to the end; zero while it is not finished."""
        if self.finished_at is None:
            return 0.0
        return (self.finished_at - self.created_at).total_seconds()

    @property
    def label(self) -> str:
        """`Job 42`, or `Task 42.3`."""
        return f"{'Task' if self.key.is_task else 'Job'} {self.key}"


def _times(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "created_at": datetime.fromisoformat(data["created_at"]),
        "started_at": instant(data["started_at"]),
        "finished_at": instant(data["finished_at"]),
        "not_before": instant(data.get("not_before")),
    }


def _placing(data: dict[str, Any]) -> dict[str, Any]:
    plan, why = data["plan"], data["diagnosis"]
    return {
        "plan": None if plan is None else Plan.from_json(plan),
        "diagnosis": None if why is None else Diagnosis.from_json(why),
    }


def _identity(data: dict[str, Any]) -> dict[str, Any]:
    task, command = data.get("task"), data.get("command")
    return {
        "key": JobKey(data["id"], -1 if task is None else task),
        "priority": data.get("priority", 0),
        "attempt": data.get("attempt", 1),
        "command": None
        if command is None
        else CommandView(**known(CommandView, command)),
        "logs": data.get("logs") or "",
    }


def _queueing(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "waiting": tuple(
            Waiting(**known(Waiting, item)) for item in data.get("waiting") or ()
        ),
        "position": data.get("position"),
        "after": tuple((item["job"], item["when"]) for item in data.get("after") or ()),
    }


def _ending(data: dict[str, Any]) -> dict[str, Any]:
    tasks = data.get("tasks")
    return {
        "cause": data.get("cause") or "",
        "tasks": None if tasks is None else TaskCounts.from_json(tasks),
        "attempts": tuple(
            AttemptView.from_json(item) for item in data.get("attempts") or ()
        ),
        "returned": tuple(
            Returned(**known(Returned, item)) for item in data.get("returned") or ()
        ),
    }
