"""The engines that hold leases, and what is promised to them: the ledger.

An engine's reservation lives from the plan until its process has ended and its memory
was seen free. Only the controller's loop changes the fleet.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Set
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.lifecycle.key import JobKey
from orchestrator.scheduling.plan import Placement, Plan, gpu_from_json
from orchestrator.scheduling.policy import DEFAULT
from orchestrator.scheduling.snapshot import (
    DeviceKind,
    Gpu,
    Reservation,
    Snapshot,
    Uuid,
)

if TYPE_CHECKING:
    from orchestrator.runtime.cluster import ReplicaHandle
    from orchestrator.runtime.leases import Lease


_RESOURCE = {DeviceKind.CUDA: "GPU", DeviceKind.CPU: "CPU"}


@dataclass(slots=True)
class Engine:
    """One engine: a replica's actor, its process, its lease, its promise.

    Attributes:
        name: The replica's name in Ray.
        label: The model's name for people.
        key: What is loaded.
        gpu: Where.
        reserved_bytes: What was promised to it.
        job: The job it works for; `None` while it is kept alive without one.
        replica: Its number in that job.
        pid: The engine's process; 0 until it is loaded.
        idle_until: Monotonic time at which it goes, while it has no job.
    """

    name: str
    label: str
    key: str
    gpu: Gpu
    reserved_bytes: int
    job: JobKey | None
    replica: int
    lease: Lease | None = None
    actor: str = ""
    """The actor's name in Ray: a new one after each death."""
    handle: ReplicaHandle | None = None
    pid: int = 0
    description: str = ""
    idle_until: float | None = None
    leaving: bool = False
    lives: int = 0
    """Actors it has had: Ray gives no name twice while the old one may live."""

    def begin_life(self) -> str:
        """The name of its next actor; `actor` from now on."""
        self.lives += 1
        self.actor = self.name if self.lives == 1 else f"{self.name}.{self.lives}"
        return self.actor

    def to_json(self) -> dict[str, Any]:
        """What a new controller must know to find and end it."""
        return {
            "label": self.label,
            "key": self.key,
            "gpu": asdict(self.gpu),
            "reserved_bytes": self.reserved_bytes,
            "job": str(self.job) if self.job else None,
            "replica": self.replica,
            "pid": self.pid,
            "actor": self.actor,
            "lives": self.lives,
            "description": self.description,
            "lease_name": self.lease.name if self.lease else "",
        }

    @classmethod
    def from_json(cls, name: str, data: dict[str, Any]) -> Engine:
        """The inverse of `to_json`."""
        known = {key: value for key, value in data.items() if key != "lease_name"}
        job = JobKey.parse(str(data["job"])) if data["job"] else None
        return cls(
            name=name, **{**known, "gpu": gpu_from_json(data["gpu"]), "job": job}
        )


@dataclass(frozen=True, slots=True)
class Leak:
    """Memory that an ended engine's process still holds."""

    gpu: Uuid
    pid: int
    label: str

    def __str__(self) -> str:
        """E106 in one clause."""
        return f"E106: process {self.pid} of {self.label} still holds memory"


class Fleet:
    """All engines, by name."""

    def __init__(self) -> None:
        self.engines: dict[str, Engine] = {}
        self.given: dict[str, set[JobKey]] = {}
        """Names -> jobs that had such an engine: to a runner each is one replica."""
        self.leaked: dict[str, Leak] = {}
        """By GPU: left out until its memory comes back (E106)."""

    def snapshot(self, gpus: Iterable[Gpu]) -> Snapshot:
        """What the scheduler may know: reports and promises."""
        ours = {(engine.gpu.uuid, engine.pid) for engine in self.engines.values()}
        seen = tuple(self._ours_removed(gpu, ours) for gpu in gpus)
        used = {
            (gpu.uuid, owner.pid): owner.used_bytes
            for gpu in gpus
            for owner in gpu.owners
        }
        reservations = tuple(
            _reservation(engine, used) for engine in self.engines.values()
        )
        return Snapshot(seen, reservations)

    def reserve(self, job: JobKey, label: str, plan: Plan, names: list[str]) -> None:
        """Promise what the plan says; warm engines change hands."""
        for placement, name in zip(plan.placements, names, strict=True):
            warm = self.engines.get(placement.warm)
            if warm is not None:
                warm.job, warm.replica, warm.idle_until = job, placement.replica, None
                warm.reserved_bytes = placement.reserve_bytes
                self.known_to(job, warm.name)
            else:
                fresh = self._unused(name)
                self.known_to(job, fresh)
                self.engines[fresh] = _new_engine(fresh, job, label, plan, placement)
            for idle in placement.evict:
                self.engines[idle].leaving = True

    def known_to(self, job: JobKey | None, name: str) -> None:
        """Note that a job, if any, has an engine of this name."""
        self.given.setdefault(name, set()).update([job] if job else [])

    def job_over(self, job: JobKey) -> None:
        """No runner of the job asks any more; names that nobody knows are free."""
        for name, jobs in list(self.given.items()):
            jobs.discard(job)
            if not jobs and name not in self.engines:
                del self.given[name]

    def of_job(self, job: JobKey) -> list[Engine]:
        """The engines that work for a job, by replica."""
        engines = [e for e in self.engines.values() if e.job == job]
        return sorted(engines, key=lambda engine: engine.replica)

    def idle(self) -> list[Engine]:
        """Engines kept alive without a job."""
        return [e for e in self.engines.values() if e.job is None and not e.leaving]

    def idle_from_now(self, engine: Engine, keep_s: float) -> None:
        """Keep an engine without a job, for this long."""
        engine.job = None
        engine.idle_until = time.monotonic() + keep_s

    def expired(self) -> list[Engine]:
        """Idle engines whose time is over."""
        now = time.monotonic()
        return [e for e in self.idle() if e.idle_until is None or e.idle_until <= now]

    def crowded(self, gpus: Iterable[Gpu]) -> list[Engine]:
        """Idle engines on GPUs where other programs need the last of the memory."""
        tight = {g.uuid for g in gpus if g.free_bytes < DEFAULT.headroom_bytes(g)}
        return [engine for engine in self.idle() if engine.gpu.uuid in tight]

    def claimed(self, wanted: Set[str]) -> list[Engine]:
        """Idle engines whose lease another program on the cluster waits for.

        Args:
            wanted: Ray's names of the resources waited for, `GPU` and `CPU`.
        """
        return [e for e in self.idle() if _RESOURCE[e.gpu.kind] in wanted]

    def settle_leaks(self, gpus: Iterable[Gpu]) -> None:
        """Take GPUs back whose memory was freed after all."""
        holders = {(gpu.uuid, owner.pid) for gpu in gpus for owner in gpu.owners}
        self.leaked = {
            uuid: leak
            for uuid, leak in self.leaked.items()
            if (uuid, leak.pid) in holders
        }

    def _unused(self, name: str) -> str:
        """The name, numbered if an engine has or had it: the job has another life."""
        candidate, life = name, 1
        while candidate in self.given:
            life += 1
            candidate = f"{name}~{life}"
        return candidate

    def _ours_removed(self, gpu: Gpu, ours: set[tuple[Uuid, int]]) -> Gpu:
        # A pid alone says nothing: nodes number their processes alike.
        foreign = tuple(o for o in gpu.owners if (gpu.uuid, o.pid) not in ours)
        leak = self.leaked.get(gpu.uuid)
        problem = gpu.problem or (str(leak) if leak else "")
        return replace(gpu, owners=foreign, problem=problem)


def _new_engine(
    name: str, job: JobKey, label: str, plan: Plan, placement: Placement
) -> Engine:
    return Engine(
        name=name,
        label=label,
        key=plan.demand.engine_key,
        gpu=placement.gpu,
        reserved_bytes=placement.reserve_bytes,
        job=job,
        replica=placement.replica,
    )


def _reservation(engine: Engine, used: dict[tuple[Uuid, int], int]) -> Reservation:
    held = f"idle {engine.label}" if engine.job is None else f"job {engine.job}"
    if engine.leaving:
        held = f"{engine.label}, which is ending"
    # A CPU device lists no processes, and in a container NVML's pids are the host's.
    # Once it is loaded, the free memory of the report shows what it holds.
    loaded = engine.reserved_bytes if engine.pid else 0
    visible = used.get((engine.gpu.uuid, engine.pid), loaded)
    return Reservation(
        gpu=engine.gpu.uuid,
        holder=held,
        reserved_bytes=engine.reserved_bytes,
        used_bytes=visible,
        engine=engine.name,
        engine_key=engine.key,
        idle=engine.job is None and not engine.leaving,
    )
