"""What outlives a controller: GPUs, leases, replicas and runners that are not there.

Tests script the world, and wait on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from orchestrator.engines.base import EngineSpec
from orchestrator.errors import Fault
from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.node_agents import NodeRoom
from orchestrator.runtime.progress import RunnerView
from orchestrator.runtime.runner_job import RunnerJob
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Owner, Uuid
from orchestrator.units import GIB
from tests.controller.fake_commands import FakeCommand, FakeCommands

T = TypeVar("T")
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Handle:
    """An actor, as a controller holds it."""

    name: str
    pid: int


@dataclass
class FakeReplica:
    handle: Handle
    lease: str
    gpu: str
    spec: EngineSpec | None = None
    log: str = ""


@dataclass
class FakeRunner:
    """A runner that says what the test tells it to say."""

    handle: Handle
    world: World
    job: RunnerJob | None = None
    view: RunnerView = field(default_factory=RunnerView)
    replicas: list[str] = field(default_factory=list)
    stops: list[bool] = field(default_factory=list)
    obedient: bool = True
    """Comes to rest as soon as it is told to."""

    def say(self, **news: Any) -> None:  # noqa: ANN401
        """Publish this news."""
        with self.world.changed:
            version = self.view.version + 1
            self.view = replace(self.view, version=version, **news)
            self.world.changed.notify_all()

    def finish(self, *faults: Fault) -> None:
        """All rows are dealt with."""
        results = None if faults else "/results.jsonl"
        self.say(phase="done", faults=faults, results=results)

    def lose(self, replica: str, fault: Fault) -> None:
        """The replica's process ends, and the runner sees it."""
        with self.world.changed:
            del self.world.replicas[replica]
        self.say(lost=(*self.view.lost, (replica, fault)))

    def die(self) -> None:
        """End its process."""
        with self.world.changed:
            del self.world.runners[self.handle.name]
            self.world.changed.notify_all()

    def with_replicas(self, count: int) -> list[str]:
        """Wait until it was given so many; returns their names, sorted."""
        self.world.until(lambda: len(self.replicas) >= count, f"{count} replicas")
        return sorted(self.replicas)


class World:
    """The machines and their processes."""

    def __init__(self, *sizes_gib: int) -> None:
        self.changed = threading.Condition()
        self.gpus = [_gpu(index, size) for index, size in enumerate(sizes_gib)]
        self.leases: dict[str, str] = {}
        """Lease -> GPU."""
        self.replicas: dict[str, FakeReplica] = {}
        self.runners: dict[str, FakeRunner] = {}
        self.faults: dict[str, Fault] = {}
        """GPU -> how a load on it ends."""
        self.needs_bytes = 0
        """A load that is given less ends for want of memory."""
        self.held: set[str] = set()
        """GPUs on which a load takes until the test lets it go on."""
        self.refused: set[str] = set()
        """GPUs that Ray does not give."""
        self.refusals = 0
        self.loads: list[tuple[str, str]] = []
        """(replica, GPU) of every load so far."""
        self.foreign: dict[str, Owner] = {}
        self.broken: dict[str, int] = {}
        """Method -> how often it will raise what nobody has foreseen."""
        self.dead_nodes: set[str] = set()
        self.wanted: frozenset[str] = frozenset()
        self.node_commands = FakeCommands()
        self.starts_held = False
        """No command reaches its node."""
        self.cores = 2
        self._pids = 1000

    def until(self, met: Callable[[], T], what: str) -> T:
        """Wait until this is so; returns what it found."""
        with self.changed:
            found = self.changed.wait_for(met, PATIENCE_S)
        assert found, f"still not so: {what}"
        return found

    def change(self, act: Callable[[], object]) -> None:
        """Change something that others may wait for."""
        with self.changed:
            act()
            self.changed.notify_all()

    def runner(self, job: int, *, other_than: FakeRunner | None = None) -> FakeRunner:
        """The runner that works for a job, as soon as it does."""

        def found() -> FakeRunner | None:
            for runner in self.runners.values():
                works = runner.job is not None and runner.job.id == job
                if works and runner is not other_than:
                    return runner
            return None

        runner = self.until(found, f"job {job} has a runner")
        assert runner is not None
        return runner

    def new_handle(self, name: str) -> Handle:
        """A new process."""
        if name in self.replicas or name in self.runners:
            # Ray says it with this class.
            raise ValueError(f"The name {name} is already taken")
        self._pids += 2
        return Handle(name, self._pids)

    def trip(self, method: str) -> None:
        """Raise if this method is broken."""
        left = self.broken.get(method, 0)
        if left:
            self.broken[method] = left - 1
            self.changed.notify_all()
            raise RuntimeError(f"{method} is broken")

    def report(self) -> list[Gpu]:
        """Every GPU as NVML would show it now."""
        return [
            self._seen(gpu) for gpu in self.gpus if gpu.node_id not in self.dead_nodes
        ]

    def rooms(self) -> list[NodeRoom]:
        """What the node has for commands."""
        if "node-a" in self.dead_nodes:
            return []
        return [NodeRoom("node-a", "local", True, self.cores, 8 * GIB, 8 * GIB)]

    def command(self, key: str, attempt: int = 1) -> FakeCommand:
        """A job's command, as soon as its node runs it."""
        running = self.node_commands.running
        ident = (JobKey.parse(key), attempt)
        found = self.until(lambda: running.get(ident), f"the command of {key} runs")
        assert found is not None
        return found

    def end_command(self, key: str, code: int | None = 0, attempt: int = 1) -> None:
        """The command of a job ends."""
        self.command(key, attempt)
        ident = (JobKey.parse(key), attempt)
        self.change(lambda: self.node_commands.end(ident, code, None))

    def check(self) -> None:
        """Nothing is held twice, nothing lives without its lease."""
        leased = list(self.leases.values())
        assert len(leased) == len(set(leased)), "one lease a GPU"
        working = [r.job.run for r in self.runners.values() if r.job]
        assert len(working) == len(set(working)), "never two runners for a job"
        for replica in self.replicas.values():
            assert self.leases.get(replica.lease) == replica.gpu
        for gpu in self.report():
            assert gpu.free_bytes >= 0, "no GPU is promised twice"

    def _seen(self, gpu: Gpu) -> Gpu:
        owners = [
            Owner(r.handle.pid + 1, "orch", "us", r.spec.memory_bytes)
            for r in self.replicas.values()
            if r.gpu == gpu.uuid and r.spec is not None
        ]
        if gpu.uuid in self.foreign:
            owners.append(self.foreign[gpu.uuid])
        free = gpu.total_bytes - sum(owner.used_bytes for owner in owners)
        return replace(gpu, free_bytes=free, owners=tuple(owners))


def _gpu(index: int, size_gib: int) -> Gpu:
    return Gpu(
        uuid=Uuid(f"GPU-{index}"),
        node_id="node-a",
        node="local",
        index=index,
        model="fake",
        kind=DeviceKind.CUDA,
        total_bytes=size_gib * GIB,
        free_bytes=size_gib * GIB,
        cores=1,
    )
