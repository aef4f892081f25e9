"""What a job's machine remembers, and how attempts end and begin for all kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

from orchestrator.errors import Fault
from orchestrator.lifecycle.causes import Cause
from orchestrator.lifecycle.ending import CANCELLED, Ending
from orchestrator.lifecycle.instructions import (
    ArmGrace,
    DropReplica,
    FindPlace,
    Finish,
    Instruction,
    RetryLater,
    StopCommand,
    StopRunner,
)
from orchestrator.lifecycle.retry import next_attempt
from orchestrator.lifecycle.states import ReplicaState, State
from orchestrator.spec.header import Retry

MAX_RESTARTS = 3
"""How often a replica, the runner or the search for a place may start again."""
MAX_RAISES = 3
"""How often a job whose GPU memory ran out is placed again, with more of it."""

Kind: TypeAlias = Literal["batch", "command"]

ONE_ATTEMPT = Retry(max=0)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the job file says of the job's life."""

    kind: Kind = "batch"
    retry: Retry = ONE_ATTEMPT
    grace_s: float = 30.0
    """Between asking it to stop and ending it."""


@dataclass(slots=True)
class Life:
    """A job's life so far. Read it; only the machine's parts change it."""

    rules: Rules = field(default_factory=Rules)
    state: State = State.PENDING
    attempt: int = 1
    tries: int = 1
    """Attempts since somebody last asked for one; `retry.max` counts these."""
    waits_for_retry: bool = False
    """It is PENDING, and not in the queue before RetryDue."""
    replicas: dict[int, ReplicaState] = field(default_factory=dict)
    running: bool = False
    """A runner or a command is at work, or being started, or a runner waits."""
    restarts: dict[int | str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    why: Cause | None = None
    """Why it ended; while it lives, why its last attempt did."""
    ending: Ending | None = None
    """What an attempt that is stopping becomes when it has come to rest."""
    raises: int = 0
    """Attempts because GPU memory had run out; they are not among the `tries`."""
    cancelled: bool = False
    """Somebody wants no further attempt."""
    forced: bool = False
    """What is stopping was not only asked."""

    def end(self, ending: Ending, *, force: bool) -> list[Instruction]:
        """End the attempt: at once if nothing runs, else when it has come to rest.

        An attempt that is stopping already keeps the ending it has.
        """
        if not self.running:
            return self.over(ending)
        if self.state is not State.STOPPING:
            self.state, self.ending, self.faults = State.STOPPING, ending, ending.faults
        return self.stop(ending.cause, force=force)

    def stop(
        self, cause: str, *, force: bool, grace_s: float | None = None
    ) -> list[Instruction]:
        """Stop what runs; if it is only asked, not for ever."""
        self.forced = self.forced or force
        stop: Instruction = (
            StopRunner(self.forced, cause)
            if self.rules.kind == "batch"
            else StopCommand(self.attempt, self.forced, cause)
        )
        if self.forced:
            return [stop]
        seconds = self.rules.grace_s if grace_s is None else grace_s
        return [stop, ArmGrace(self.attempt, seconds, cause)]

    def rest(self) -> list[Instruction]:
        """What was stopping has come to rest."""
        return self.over(self.ending or CANCELLED)

    def over(self, ending: Ending) -> list[Instruction]:
        """The attempt is over: another one, or the end."""
        self.running = False
        self.why = ending.why
        delay_s = self._delay_s(ending)
        if ending.why is None or delay_s is None:
            return self._finish(ending)
        drops = self.drops(ending.cause)
        if ending.why is Cause.CUDA_OOM:
            self.raises += 1
            self._begin(self.tries)
        else:
            self._begin(self.tries + 1)
        self.waits_for_retry = True
        later = RetryLater(
            attempt=self.attempt,
            delay_s=delay_s,
            state=ending.state,
            faults=ending.faults,
            cause=ending.cause,
            why=ending.why,
        )
        return [*drops, later]

    def _delay_s(self, ending: Ending) -> float | None:
        if ending.why is None or self.cancelled:
            return None
        if ending.why is Cause.CUDA_OOM and self.rules.kind == "batch":
            # With more memory, or elsewhere: it is not the same again.
            return 0.0 if self.raises < MAX_RAISES else None
        return next_attempt(self.rules.retry, ending.why, ending.exit_code, self.tries)

    def _finish(self, ending: Ending) -> list[Instruction]:
        self.state, self.faults, self.ending = ending.state, ending.faults, None
        self.waits_for_retry = False
        for replica, was in self.replicas.items():
            if was is not ReplicaState.LOST:
                self.replicas[replica] = ReplicaState.STOPPED
        return [Finish(ending.state, ending.faults, ending.cause, ending.why)]

    def begin_again(self, cause: str) -> list[Instruction]:
        """A job that is over gets a new attempt, with all its retries before it."""
        self._begin(1)
        self.raises = 0
        return [FindPlace(cause)]

    def _begin(self, tries: int) -> None:
        self.state, self.attempt, self.tries = State.PENDING, self.attempt + 1, tries
        self.waits_for_retry = self.running = self.cancelled = self.forced = False
        self.replicas, self.restarts, self.faults, self.ending = {}, {}, (), None

    def drops(self, cause: str) -> list[Instruction]:
        """Let every replica go that is held."""
        return [
            DropReplica(replica, cause)
            for replica, state in self.replicas.items()
            if state is not ReplicaState.LOST
        ]

    def again(self, what: int | str) -> bool:
        """Count one more start of a replica or `runner`; whether it is allowed."""
        self.restarts[what] = self.restarts.get(what, 0) + 1
        return self.restarts[what] <= MAX_RESTARTS

    def to_json(self) -> dict[str, Any]:
        """What `restored` needs after the controller was started anew."""
        return {
            "state": str(self.state),
            "attempt": self.attempt,
            "tries": self.tries,
            "waits_for_retry": self.waits_for_retry,
            "restarts": {str(what): n for what, n in self.restarts.items()},
            "faults": [fault.to_json() for fault in self.faults],
            "why": self.why and str(self.why),
            "ending": self.ending and self.ending.to_json(),
            "raises": self.raises,
            "cancelled": self.cancelled,
            "forced": self.forced,
        }

    @classmethod
    def restored(
        cls,
        rules: Rules,
        data: dict[str, Any],
        replicas: dict[int, ReplicaState] | None = None,
        *,
        running: bool = False,
    ) -> Self:
        """The inverse of `to_json`; its story begins anew.

        Args:
            rules: The job file's.
            data: What `to_json` gave.
            replicas: Those that outlived the controller.
            running: Its runner outlived the controller, too. Of a command it is
                the state that says so.
        """
        state = State(data["state"])
        busy = state in (State.LOADING, State.RUNNING, State.STOPPING)
        ending = data["ending"]
        return cls(
            rules=rules,
            state=state,
            attempt=data["attempt"],
            tries=data["tries"],
            waits_for_retry=data["waits_for_retry"],
            replicas=replicas or {},
            running=busy if rules.kind == "command" else running,
            restarts={_number(what): n for what, n in data["restarts"].items()},
            faults=tuple(map(Fault.from_json, data["faults"])),
            why=Cause(data["why"]) if data["why"] else None,
            ending=Ending.from_json(ending) if ending else None,
            raises=data.get("raises", 0),
            cancelled=data["cancelled"],
            forced=data["forced"],
        )


def _number(what: str) -> int | str:
    return int(what) if what.isdigit() else what
