"""A cluster that is not there, behind the door of the real one.

`FakeCluster` has the methods of `runtime.cluster.Cluster`.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import Any, cast

from orchestrator.engines.base import EngineSpec, Loaded
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.runtime.cluster import Node
from orchestrator.runtime.leases import Lease, LeaseRefusedError
from orchestrator.runtime.node_agents import NodeRoom
from orchestrator.runtime.progress import RunnerView
from orchestrator.runtime.runner_job import RunnerJob
from orchestrator.scheduling.snapshot import Gpu
from orchestrator.units import GIB
from tests.controller.fake_nodes import HELD_BACK_S, FakeNodes
from tests.controller.fake_wire import carried
from tests.controller.fake_world import FakeReplica, FakeRunner, Handle


def lack(needed_bytes: int = 0) -> Fault:
    """E104, as an engine says it; 0: it cannot tell what would have been enough."""
    facts = ("reserved: some", "held at most: all of it")
    code = Code.OUT_OF_GPU_MEMORY
    return Fault(code, "it does not fit", facts, needed_bytes=needed_bytes)


class FakeCluster(FakeNodes):
    """One controller's connection to the world."""

    @carried
    def nodes(self) -> list[Node]:
        head = Node("node-a", "local", "127.0.0.1", head=True)
        return [] if head.id in self.world.dead_nodes else [head]

    @carried
    def gpus(self) -> list[Gpu]:
        return self.world.report()

    @carried
    def look(self) -> tuple[list[Gpu], list[NodeRoom]]:
        self.world.trip("gpus")
        return self.world.report(), self.world.rooms()

    @carried
    def wanted(self) -> frozenset[str]:
        return self.world.wanted

    @carried
    def node_answers(self, node_id: str) -> bool:
        return node_id not in self.world.dead_nodes

    @carried
    def acquire(self, name: str, gpu: Gpu) -> Lease:
        taken = gpu.uuid in self.world.leases.values()
        if taken or gpu.uuid in self.world.refused:
            self.world.refusals += 1
            self.world.changed.notify_all()
            text = f"Ray does not give {gpu.name} now"
            raise LeaseRefusedError((Fault(Code.NOT_ENOUGH_GPU_MEMORY, text),))
        if name in self.world.leases:
            raise ValueError(f"a placement group is called {name} already")
        self.world.leases[name] = gpu.uuid
        return Lease(name, cast(Any, f"group of {name}"))

    @carried
    def release(self, lease: Lease) -> None:
        self.world.leases.pop(lease.name, None)
        for name, replica in list(self.world.replicas.items()):
            if replica.lease == lease.name:
                del self.world.replicas[name]

    @carried
    def start_replica(self, name: str, gpu: Gpu, lease: Lease) -> Handle:
        handle = self.world.new_handle(name)
        # An actor without its placement group is never placed.
        if lease.name in self.world.leases:
            self.world.replicas[name] = FakeReplica(handle, lease.name, gpu.uuid)
        return handle

    @carried
    def load(
        self, replica: Handle, node_id: str, spec: EngineSpec
    ) -> tuple[Loaded, tuple[int, int]]:
        world = self.world
        there = self._replica(replica)
        world.loads.append((replica.name, spec.gpu))
        world.changed.notify_all()
        world.changed.wait_for(
            lambda: (
                spec.gpu not in world.held
                or world.replicas.get(replica.name) is not there
                or self._cut
            ),
            HELD_BACK_S,
        )
        self.alive()
        self._replica(replica)
        if spec.gpu in world.faults:
            raise OrchError((world.faults[spec.gpu],))
        if spec.memory_bytes < world.needs_bytes:
            raise OrchError((lack(world.needs_bytes),))
        assert spec.gpu == there.gpu, "the plan and the lease name one GPU"
        there.spec = spec
        loaded = Loaded("model on " + node_id, GIB, 1, "fake", spec.gpu, 0.0)
        return loaded, (replica.pid, replica.pid + 1)

    @carried
    def begin_replica(
        self, replica: Handle, log: str, redact: tuple[str, ...] = ()
    ) -> None:
        assert not redact or log
        self.world.replicas[replica.name].log = log

    @carried
    def end_replica(self, replica: Handle, timeout_s: float) -> int:
        assert timeout_s > 0
        there = self.world.replicas.get(replica.name)
        self._kill(replica)
        return replica.pid + 1 if there and there.spec else 0

    @carried
    def answers(self, replica: Handle) -> bool:
        there = self.world.replicas.get(replica.name)
        return there is not None and there.handle == replica and there.spec is not None

    @carried
    def start_runner(self, name: str) -> Handle:
        handle = self.world.new_handle(name)
        self.world.runners[name] = FakeRunner(handle, self.world)
        return handle

    @carried
    def begin_job(self, runner: Handle, job: RunnerJob) -> None:
        there = self._runner(runner)
        assert there.job is None, "a runner has one job in its life"
        there.job = job
        there.view = replace(there.view, version=1)

    @carried
    def add_replica(self, runner: Handle, name: str, replica: Handle) -> None:
        there = self._runner(runner)
        assert self.world.replicas[name].handle == replica
        if name not in there.replicas:
            there.replicas.append(name)

    @carried
    def stop_runner(self, runner: Handle, *, force: bool) -> None:
        there = self._runner(runner)
        there.stops.append(force)
        if there.obedient or force:
            there.say(phase="done", stopped=True)

    @carried
    def watch_runner(
        self, runner: Handle, version: int, timeout_s: float
    ) -> RunnerView:
        there = self._runner(runner)
        self.world.changed.wait_for(
            lambda: (
                there.view.version > version
                or self.world.runners.get(runner.name) is not there
                or self._cut
            ),
            timeout_s,
        )
        self.alive()
        return self._runner(runner).view

    @carried
    def find_replica(self, name: str) -> Handle | None:
        there = self.world.replicas.get(name)
        return there.handle if there and there.spec else None

    @carried
    def find_runner(self, name: str) -> Handle | None:
        there = self.world.runners.get(name)
        return there.handle if there else None

    @carried
    def find_lease(self, name: str) -> Lease | None:
        found = name in self.world.leases
        return Lease(name, cast(Any, f"group of {name}")) if found else None

    @carried
    def sweep(self, keep: Set[str]) -> None:
        for known in (self.world.replicas, self.world.runners):
            for name in set(known) - keep:
                del cast(dict[str, Any], known)[name]
        for name in set(self.world.leases) - keep:
            self.release(Lease(name, cast(Any, "")))
        self.swept = True

    @carried
    def kill(self, actor: Handle) -> None:
        self._kill(actor)

    def _kill(self, actor: Handle) -> None:
        for known in (self.world.replicas, self.world.runners):
            there = cast(dict[str, Any], known).get(actor.name)
            if there is not None and there.handle == actor:
                del cast(dict[str, Any], known)[actor.name]

    def _replica(self, handle: Handle) -> FakeReplica:
        there = self.world.replicas.get(handle.name)
        if there is None or there.handle != handle:
            raise OrchError.of(Code.GPU_LOST, "the replica died while it loaded")
        return there

    def _runner(self, handle: Handle) -> FakeRunner:
        there = self.world.runners.get(handle.name)
        if there is None or there.handle != handle:
            raise OrchError.of(Code.RUNNER_LOST, "the runner was lost")
        return there
