"""Shares of nodes for commands: who has one, and who gets the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.controller.active import ActiveJob, Running
from orchestrator.controller.clock import now
from orchestrator.controller.command_work import CommandWork
from orchestrator.controller.core import Core
from orchestrator.controller.queue import Entry, Pool
from orchestrator.errors import Fault, OrchError
from orchestrator.lifecycle.events import Event, Planned
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.scheduling.queue_cpu import (
    CpuDemand,
    CpuWaiting,
    NodeRoom,
    pick_cpu,
)
from orchestrator.scheduling.waiting import Tier

WINDOW = 64


@dataclass(frozen=True, slots=True)
class _Seat:
    node_id: str
    demand: CpuDemand


class Seats:
    """What of each node's cores and memory commands hold. On the loop's thread."""

    def __init__(
        self,
        core: Core,
        perform: Callable[[ActiveJob, Event], None],
        give_up: Callable[[JobKey, tuple[Fault, ...]], None],
    ) -> None:
        self._core = core
        self._perform = perform
        self._give_up = give_up
        self._taken: dict[JobKey, _Seat] = {}

    def look(self) -> None:
        """Start the commands at the head of the queue that have room."""
        window = self._core.queue.window(Pool.CPU, WINDOW)
        if not window or not self._core.rooms:
            return
        decision = pick_cpu([_waiting(entry) for entry in window], self._rooms())
        names = {room.node_id: room.name for room in self._core.rooms}
        demands = {entry.key: _demand(entry) for entry in window}
        for key, node_id in decision.starts:
            self._start(key, _Seat(node_id, demands[key]), names[node_id])
        for key, waits in decision.held.items():
            # What stands behind another job needs no more than its position.
            behind = all(why.tier is Tier.ORDER for why in waits)
            job = self._core.jobs.get(key) if behind else self._job(key)
            shown = () if behind else waits
            if job is not None and job.waits != shown:
                job.waits = shown
                self._core.changed(job)

    def has_room(self, demand: CpuDemand) -> bool:
        """Whether a command could start now, if none waited before it."""
        waiting = CpuWaiting(JobKey(0), demand)
        return bool(pick_cpu([waiting], self._rooms()).starts)

    def take(self, job: ActiveJob) -> None:
        """A command that outlived the controller keeps its share."""
        assert isinstance(job.work, CommandWork)
        self._taken[job.key] = _Seat(job.command.node_id, job.work.needs)

    def leave(self, job: ActiveJob) -> None:
        """The attempt is over."""
        self._taken.pop(job.key, None)

    def _rooms(self) -> list[NodeRoom]:
        cpus: dict[str, float] = {}
        memory: dict[str, int] = {}
        for seat in self._taken.values():
            node, demand = seat.node_id, seat.demand
            cpus[node] = cpus.get(node, 0.0) + demand.cpus
            memory[node] = memory.get(node, 0) + demand.memory_bytes
        return [
            NodeRoom(
                node_id=room.node_id,
                name=room.name,
                cpus_free=room.cores - cpus.get(room.node_id, 0.0),
                # What others use counts, what is promised and not used yet, too.
                memory_free_bytes=min(
                    room.available_bytes,
                    room.memory_bytes - memory.get(room.node_id, 0),
                ),
                cpus_total=float(room.cores),
                memory_total_bytes=room.memory_bytes,
            )
            for room in self._core.rooms
        ]

    def _start(self, key: JobKey, seat: _Seat, node: str) -> None:
        job = self._job(key)
        self._core.queue.remove(key)
        if job is None or job.machine.state is not State.PENDING:
            return
        self._taken[key] = seat
        job.command = Running(seat.node_id, node)
        job.nodes[job.machine.attempt, 0] = seat.node_id
        job.started_at = now()
        self._perform(job, Planned(where=node))

    def _job(self, key: JobKey) -> ActiveJob | None:
        try:
            return self._core.job(key)
        except OrchError as error:
            faults = error.faults
            self._core.queue.remove(key)
            self._core.loop.post(lambda: self._give_up(key, faults))
        return None


def _demand(entry: Entry) -> CpuDemand:
    return CpuDemand(entry.cpus, entry.memory_bytes)


def _waiting(entry: Entry) -> CpuWaiting[JobKey]:
    return CpuWaiting(entry.key, _demand(entry), entry.priority, entry.seq)
