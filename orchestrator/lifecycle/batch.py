"""The life of a batch job: replicas that load and die, and the runner over them."""

from __future__ import annotations

from typing import assert_never

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.ending import failed, succeeded
from orchestrator.lifecycle.events import (
    BatchEvent,
    Planned,
    ReplicaFailed,
    ReplicaLost,
    ReplicaReady,
    RunnerEnded,
    RunnerLost,
)
from orchestrator.lifecycle.instructions import (
    DropReplica,
    FindPlace,
    Instruction,
    OfferReplica,
    StartReplica,
    StartRunner,
)
from orchestrator.lifecycle.life import Life
from orchestrator.lifecycle.states import ReplicaState, State


def too_late(life: Life, event: BatchEvent) -> bool:
    """Whether it tells of a replica or a runner that is none any more."""
    match event:
        case ReplicaReady() | ReplicaFailed():
            return life.replicas.get(event.replica) is not ReplicaState.LOADING
        case ReplicaLost():
            return life.replicas.get(event.replica) is not ReplicaState.READY
        case RunnerLost():
            return not life.running
        case RunnerEnded():
            # Without a runner it is the queue that gives up, and says why.
            return not life.running and not event.faults
        case _:
            assert_never(event)


def react(life: Life, event: BatchEvent) -> list[Instruction]:
    """What follows from an event that is not too late."""
    match event:
        case ReplicaReady():
            return _replica_ready(life, event)
        case ReplicaFailed():
            return _replica_failed(life, event)
        case ReplicaLost():
            return _replica_lost(life, event)
        case RunnerEnded():
            return _runner_ended(life, event)
        case RunnerLost():
            return _runner_lost(life, event)
        case _:
            assert_never(event)


def planned(life: Life, event: Planned) -> list[Instruction]:
    """The GPUs are leased: load the model on each."""
    life.replicas = dict.fromkeys(range(event.replicas), ReplicaState.LOADING)
    return [StartReplica(replica, "planned") for replica in life.replicas]


def restarted(life: Life) -> list[Instruction]:
    """A new controller found neither runner nor replicas."""
    life.running = False
    if life.state is State.STOPPING:
        return life.rest()
    if life.waits_for_retry:
        return []
    return _start_over(life, "the controller restarted")


def _replica_ready(life: Life, event: ReplicaReady) -> list[Instruction]:
    if life.state is State.STOPPING:
        return []
    life.replicas[event.replica] = ReplicaState.READY
    life.state = State.RUNNING
    if life.running:
        return [OfferReplica(event.replica, "ready")]
    life.running = True
    return [StartRunner((event.replica,), "the first replica is ready")]


def _replica_failed(life: Life, event: ReplicaFailed) -> list[Instruction]:
    cause = event.fault.message
    # Its process or the zygote died; nothing is wrong with the job.
    died = event.fault.code is Code.GPU_LOST
    if died and life.state is not State.STOPPING and life.again(event.replica):
        return [StartReplica(event.replica, cause)]
    drop = _drop(life, event.replica, event.fault)
    if event.everywhere:
        return [drop, *life.end(failed((event.fault,)), force=True)]
    return [drop, *_end_if_alone(life, event.fault)]


def _replica_lost(life: Life, event: ReplicaLost) -> list[Instruction]:
    if life.state is State.STOPPING:
        return [_drop(life, event.replica, event.fault)]
    if event.fault.code is Code.OUT_OF_GPU_MEMORY:
        # The other replicas have no more than it had: none of them can do these rows.
        drop = _drop(life, event.replica, event.fault)
        return [drop, *life.end(failed((event.fault,)), force=False)]
    if life.again(event.replica) and not event.gone:
        life.replicas[event.replica] = ReplicaState.LOADING
        return [StartReplica(event.replica, event.fault.message)]
    drop = _drop(life, event.replica, event.fault)
    return [drop, *_end_if_alone(life, event.fault)]


def _drop(life: Life, replica: int, fault: Fault) -> DropReplica:
    life.replicas[replica] = ReplicaState.LOST
    life.faults = (*life.faults, fault)
    return DropReplica(replica, fault.message)


def _end_if_alone(life: Life, fault: Fault) -> list[Instruction]:
    alive = (ReplicaState.LOADING, ReplicaState.READY)
    if any(state in alive for state in life.replicas.values()):
        return []
    stopping = life.state is State.STOPPING
    if fault.code is Code.NODE_LOST and not stopping and life.again("place"):
        return _start_over(life, "every node of the job was lost")
    return life.end(failed(life.faults, "no replica is left"), force=True)


def _start_over(life: Life, cause: str) -> list[Instruction]:
    """Wait for a new place; a runner that runs waits too, for its next replica."""
    drops = life.drops(cause)
    life.state, life.replicas, life.faults = State.PENDING, {}, ()
    return [*drops, FindPlace(cause)]


def _runner_ended(life: Life, event: RunnerEnded) -> list[Instruction]:
    life.running = False
    if event.stopped:
        return life.rest()
    if event.faults:
        return life.over(failed(event.faults))
    return life.over(succeeded("every row was dealt with"))


def _runner_lost(life: Life, event: RunnerLost) -> list[Instruction]:
    life.running = False
    if life.state is State.STOPPING:
        return life.rest()
    if not life.again("runner"):
        return life.over(failed((event.fault,)))
    ready = tuple(r for r, s in life.replicas.items() if s is ReplicaState.READY)
    if not ready:
        # The next replica that becomes ready starts the runner.
        return []
    life.running = True
    return [StartRunner(ready, event.fault.message)]
