"""The parts that a job's view is made of: progress, replicas, tiers, attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from orchestrator.client.known import instant, known
from orchestrator.lifecycle.states import ReplicaState, State


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        phase: `queued`, `loading`, `running`, `merging` or `done`.
        rows_total: Rows of the input; `None` until it is known.
        rows_done: Rows that are through, failed and reused ones included.
        rows_failed: Of these, the ones in failed.jsonl.
        rows_reused: Of these, the ones an earlier run had finished.
        rows_per_second: The present rate.
        eta_seconds: Time that is left; `None` if it cannot be told.
        first_result_seconds: From start to the first result; `None` before it.
    """

    phase: str = "queued"
    rows_total: int | None = None
    rows_done: int = 0
    rows_failed: int = 0
    rows_reused: int = 0
    rows_per_second: float = 0.0
    eta_seconds: float | None = None
    first_result_seconds: float | None = None

    @property
    def rows_ok(self) -> int:
        """Rows that have a result."""
        return self.rows_done - self.rows_failed

    @property
    def rows_left(self) -> int | None:
        """Rows that are not through; `None` while the total is not known."""
        return None if self.rows_total is None else self.rows_total - self.rows_done


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """One replica of a job.

    Attributes:
        replica: Its number.
        gpu: `node:index`.
        state: Where it stands.
        warm: It took over an engine that was loaded already.
        detail: One clause for people, or empty.
    """

    replica: int
    gpu: str
    state: ReplicaState
    warm: bool = False
    detail: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """A replica from the controller's JSON."""
        return cls(**{**known(cls, data), "state": ReplicaState(data["state"])})


@dataclass(frozen=True, slots=True)
class Waiting:
    """One reason why a job waits; of several the first is the one that counts.

    Attributes:
        tier: Which kind of reason, such as `dependency` or `busy`.
        text: A clause for people.
        data: Its numbers.
    """

    tier: str
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt of a job that is over."""

    attempt: int
    state: State
    cause: str
    started_at: datetime | None
    finished_at: datetime | None
    text: str

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """An attempt from the controller's JSON."""
        return cls(
            attempt=data["attempt"],
            state=State(data["state"]),
            cause=data.get("cause") or "",
            started_at=instant(data.get("started_at")),
            finished_at=instant(data.get("finished_at")),
            text=data.get("text") or "",
        )


@dataclass(frozen=True, slots=True)
class CommandView:
    """The command of a job.

    Attributes:
        run: The command line, for people.
        exit_code: How it ended; `None` until then, or if a signal ended it.
        signal: The signal that ended it, such as `SIGKILL`.
        pid: Its process; 0 if there is none.
        node: Where it runs.
    """

    run: str = ""
    exit_code: int | None = None
    signal: str | None = None
    pid: int = 0
    node: str = ""


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """How many tasks of an array are in which state."""

    total: int
    by_state: dict[State, int]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Counts from the controller's JSON; words that are no state are left out."""
        states = {state: data[state] for state in State if data.get(state)}
        return cls(total=data["total"], by_state=states)

    @property
    def ended(self) -> int:
        """How many are over."""
        return sum(count for state, count in self.by_state.items() if state.final)


@dataclass(frozen=True, slots=True)
class Returned:
    """Memory of a GPU that was seen free after a job's end."""

    gpu: str
    free_bytes: int
