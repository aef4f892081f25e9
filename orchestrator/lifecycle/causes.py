"""Why an attempt ended without success, in one word, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.states import State


class Cause(StrEnum):
    """Why an attempt did not succeed."""

    NODE_LOST = "node_lost"
    """The node went away."""
    WORKER_DIED = "worker_died"
    """A process of ours died: engine, runner, agent."""
    GPU_FAILED = "gpu_failed"
    """A GPU did not initialise, or did not give its memory back."""
    ERROR = "error"
    """The user's code raised."""
    EXIT_NONZERO = "exit_nonzero"
    """The command returned something else than 0, or a signal ended it."""
    TIMEOUT = "timeout"
    """It ran longer than `timeout.run`."""
    START_TIMEOUT = "start_timeout"
    """It did not start within `timeout.start`."""
    QUEUE_TIMEOUT = "queue_timeout"
    """It waited longer than `timeout.queue`."""
    CUDA_OOM = "cuda_oom"
    """A GPU's memory ran out: the same settings would do so again."""
    CONFIG_ERROR = "config_error"
    """The job file or the model is not right: no attempt would do better."""
    ROW_FAILURES = "row_failures"
    """More rows failed than allowed."""
    DEPENDENCY = "dependency"
    """A job it was to come after did not end as it asked."""
    BUG = "bug"
    """A mistake of ours."""
    CANCELLED = "cancelled"
    """Somebody asked for it."""


_OF_CODE: dict[Code, Cause] = {
    Code.NOT_ENOUGH_GPU_MEMORY: Cause.CONFIG_ERROR,
    Code.GPU_FAILED_TO_INITIALISE: Cause.GPU_FAILED,
    Code.MODEL_FAILED_TO_LOAD: Cause.CONFIG_ERROR,
    Code.OUT_OF_GPU_MEMORY: Cause.CUDA_OOM,
    Code.GPU_LOST: Cause.WORKER_DIED,
    Code.GPU_MEMORY_NOT_RELEASED: Cause.GPU_FAILED,
    Code.UNKNOWN_FIELD: Cause.CONFIG_ERROR,
    Code.MISSING_FIELD: Cause.CONFIG_ERROR,
    Code.BAD_VALUE: Cause.CONFIG_ERROR,
    Code.FILE_NOT_FOUND: Cause.CONFIG_ERROR,
    Code.UNREADABLE_YAML: Cause.CONFIG_ERROR,
    Code.NO_SUCH_JOB: Cause.CONFIG_ERROR,
    Code.CONTROLLER_UNREACHABLE: Cause.WORKER_DIED,
    Code.NOT_ALLOWED: Cause.CONFIG_ERROR,
    Code.WRONG_STATE: Cause.CONFIG_ERROR,
    Code.USER_CODE_RAISED: Cause.ERROR,
    Code.EXITED_NON_ZERO: Cause.EXIT_NONZERO,
    Code.TIME_LIMIT: Cause.TIMEOUT,
    Code.TOO_MANY_FAILED_ROWS: Cause.ROW_FAILURES,
    Code.NODE_LOST: Cause.NODE_LOST,
    Code.RUNNER_LOST: Cause.WORKER_DIED,
    Code.RENDEZVOUS_FAILED: Cause.WORKER_DIED,
    Code.BUG: Cause.BUG,
}

_STATES: dict[Cause, State] = {
    Cause.NODE_LOST: State.LOST,
    Cause.WORKER_DIED: State.LOST,
    Cause.TIMEOUT: State.TIMEOUT,
    Cause.QUEUE_TIMEOUT: State.TIMEOUT,
    Cause.DEPENDENCY: State.SKIPPED,
    Cause.CANCELLED: State.CANCELLED,
}

RETRY_WORDS: dict[Cause, str] = {
    Cause.NODE_LOST: "node_lost",
    Cause.WORKER_DIED: "worker_died",
    Cause.GPU_FAILED: "worker_died",
    Cause.ERROR: "error",
    Cause.EXIT_NONZERO: "error",
    Cause.TIMEOUT: "timeout",
    Cause.START_TIMEOUT: "timeout",
}
"""The word of `retry.on` that asks for another attempt; no other cause has one."""


def cause_of(fault: Fault) -> Cause:
    """The cause that a fault is a case of."""
    return _OF_CODE[fault.code]


def main_cause(faults: Sequence[Fault]) -> Cause:
    """The cause of an ending with several faults: one that no retry cures, if any.

    Without a fault it is a bug: nothing ends badly for no reason.
    """
    causes = [cause_of(fault) for fault in faults]
    hopeless = [cause for cause in causes if cause not in RETRY_WORDS]
    return next(iter([*hopeless, *causes]), Cause.BUG)


def state_of(cause: Cause) -> State:
    """The final state that this cause leads to if no attempt is left."""
    return _STATES.get(cause, State.FAILED)
