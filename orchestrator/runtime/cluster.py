"""All that the controller does to the cluster. Every call to Ray lives here or below.

Names are what a user sees in the Ray dashboard: `orch:job-42:replica-0`.
"""

from __future__ import annotations

import threading
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from orchestrator.engines.base import EngineSpec, Loaded
from orchestrator.errors import Code, OrchError
from orchestrator.runtime import leases
from orchestrator.runtime.agent import Agent, AgentActor
from orchestrator.runtime.progress import RunnerView
from orchestrator.runtime.replica import MAX_CHUNKS, Replica, ReplicaActor
from orchestrator.runtime.runner import Runner, RunnerActor
from orchestrator.runtime.runner_job import RunnerJob
from orchestrator.runtime.translate import translated
from orchestrator.scheduling.snapshot import DeviceKind, Gpu

if TYPE_CHECKING:
    from ray.actor import ActorHandle, ActorProxy

ReplicaHandle: TypeAlias = "ActorProxy[Replica]"
RunnerHandle: TypeAlias = "ActorProxy[Runner]"

NAMESPACE = "orch"
AGENT_TIMEOUT_S = 5.0
AGENT_START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster."""

    id: str
    name: str
    ip: str
    head: bool


class Cluster:
    """The cluster of the Ray that this process is connected to."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._agents: dict[str, ActorProxy[Agent]] = {}
        self._lock = threading.Lock()

    # --- nodes and GPUs ---------------------------------------------------------

    def nodes(self) -> list[Node]:
        """The machines that are alive, the head first."""
        found: list[Node] = []
        taken: set[str] = set()
        every: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        alive = [node for node in every if node["Alive"]]
        alive.sort(key=lambda node: (not _is_head(node), node["NodeID"]))
        for node in alive:
            name = _unique(_node_name(node), taken)
            ip = node["NodeManagerAddress"]
            found.append(Node(node["NodeID"], name, ip, _is_head(node)))
        return found

    def gpus(self) -> list[Gpu]:
        """Every GPU's newest report, read now; nodes that do not answer are absent."""
        with self._lock:
            nodes = self.nodes()
            agents = {node.id: self._agent(node) for node in nodes}
            refs = {node: agent.report.remote() for node, agent in agents.items()}
            found: list[Gpu] = []
            for node, ref in refs.items():
                try:
                    found.extend(ray.get(ref, timeout=AGENT_START_TIMEOUT_S).gpus)
                except RayError:
                    self._agents.pop(node, None)
            return found

    def wanted(self) -> frozenset[str]:
        """Ray resources, such as `GPU`, that some program on the cluster waits for."""
        try:
            status = get_cluster_status(ray.get_runtime_context().gcs_address)
        except Exception:  # noqa: BLE001 - it only serves to let idle engines go early
            return frozenset()
        demands = status.resource_demands
        waiting = [*demands.ray_task_actor_demand, *demands.placement_group_demand]
        bundles = [shape.bundle for each in waiting for shape in each.bundles_by_count]
        return frozenset(name for bundle in bundles for name in bundle)

    def node_answers(self, node_id: str) -> bool:
        """Whether the node's agent is alive and answers."""
        agent = self._agents.get(node_id)
        if agent is None:
            return False
        with suppress(RayError):
            ray.get(agent.pid.remote(), timeout=AGENT_TIMEOUT_S)
            return True
        return False

    def _agent(self, node: Node) -> ActorProxy[Agent]:
        if node.id not in self._agents:
            self._agents[node.id] = AgentActor.options(
                name=f"orch:agent:{node.name}:{node.id[:8]}",
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                num_cpus=0,
                max_restarts=-1,
                max_concurrency=4,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            ).remote(node.id, node.name)
        return self._agents[node.id]

    # --- leases -----------------------------------------------------------------

    def acquire(self, name: str, gpu: Gpu) -> leases.Lease:
        """Lease exactly this GPU.

        Raises:
            LeaseRefusedError: It is not to be had; nothing is held.
        """
        return leases.acquire(name, gpu)

    def release(self, lease: leases.Lease) -> None:
        """Give a lease back."""
        leases.release(lease)

    # --- replicas ---------------------------------------------------------------

    def start_replica(self, name: str, gpu: Gpu, lease: leases.Lease) -> ReplicaHandle:
        """Start a replica's actor inside its lease; it has no model yet."""
        log = self._logs / f"{name.replace(':', '-')}.log"
        return ReplicaActor.options(
            name=name,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            num_gpus=1 if gpu.kind is DeviceKind.CUDA else 0,
            max_concurrency=MAX_CHUNKS + 4,
            scheduling_strategy=PlacementGroupSchedulingStrategy(lease.group, 0),
        ).remote(name, str(log))

    def load(
        self, replica: ReplicaHandle, node_id: str, spec: EngineSpec
    ) -> tuple[Loaded, tuple[int, int]]:
        """Load the model into a replica; returns what it says and its two pids.

        Raises:
            OrchError: E102, E103, E105, or E501 if its node went away meanwhile.
        """
        with translated(Code.GPU_LOST, "the replica died while it loaded"):
            agent = self._agents.get(node_id)
            if agent is None:
                raise _node_lost(node_id)
            zygote = ray.get(agent.zygote.remote(), timeout=AGENT_START_TIMEOUT_S)
            loading = replica.load.remote(zygote, spec)
            while not ray.wait([loading], timeout=AGENT_TIMEOUT_S)[0]:
                if not self.node_answers(node_id):
                    raise _node_lost(node_id)
            return ray.get(loading), ray.get(replica.pids.remote())

    def end_replica(self, replica: ReplicaHandle, timeout_s: float) -> None:
        """Let the engine end by itself, within the timeout, then end the actor."""
        with suppress(RayError, GetTimeoutError):
            ray.get(replica.stop.remote(), timeout=timeout_s)
            ray.get(replica.wait_gone.remote(timeout_s), timeout=timeout_s + 1)
        self.kill(replica)

    def answers(self, replica: ReplicaHandle) -> bool:
        """Whether a replica's actor and its engine are alive."""
        with suppress(RayError, GetTimeoutError):
            return not ray.get(replica.wait_gone.remote(0.0), timeout=AGENT_TIMEOUT_S)
        return False

    # --- runners ----------------------------------------------------------------

    def start_runner(self, name: str) -> RunnerHandle:
        """Start a runner's process, on the head; it waits for its job.

        Raises:
            OrchError: E502, it did not start.
        """
        with translated(Code.RUNNER_LOST, "the runner did not start"):
            head = next(node for node in self.nodes() if node.head)
            runner = RunnerActor.options(
                name=name,
                namespace=NAMESPACE,
                lifetime="detached",
                num_cpus=0,
                max_concurrency=16,
                scheduling_strategy=NodeAffinitySchedulingStrategy(head.id, soft=False),
            ).remote()
            try:
                ray.get(runner.pid.remote(), timeout=AGENT_START_TIMEOUT_S)
            except RayError:
                # It could still come up, under a name that is then not free.
                self.kill(runner)
                raise
            return runner

    def begin_job(self, runner: RunnerHandle, job: RunnerJob) -> None:
        """Give a runner its job.

        Raises:
            OrchError: E502, it is gone.
        """
        with translated(Code.RUNNER_LOST, "the runner did not start"):
            ray.get(runner.begin.remote(job), timeout=AGENT_START_TIMEOUT_S)

    def add_replica(
        self, runner: RunnerHandle, name: str, replica: ReplicaHandle
    ) -> None:
        """Tell a runner of a replica that is ready; twice does no harm."""
        runner.add.remote([(name, replica)])

    def stop_runner(self, runner: RunnerHandle, *, force: bool) -> None:
        """Let a runner come to rest."""
        runner.stop.remote(force)

    def watch_runner(
        self, runner: RunnerHandle, version: int, timeout_s: float
    ) -> RunnerView:
        """What a runner says, as soon as it is newer than `version`.

        Raises:
            OrchError: E502, it is gone.
        """
        with translated(Code.RUNNER_LOST, "the runner was lost"):
            watching = runner.watch.remote(version, timeout_s)
            return ray.get(watching, timeout=timeout_s + AGENT_START_TIMEOUT_S)

    # --- what outlived a controller -----------------------------------------------

    def find_replica(self, name: str) -> ReplicaHandle | None:
        """A replica's actor by name, if it is alive."""
        with suppress(ValueError):
            handle: ReplicaHandle = ray.get_actor(name, namespace=NAMESPACE)
            return handle if self.answers(handle) else None
        return None

    def find_runner(self, name: str) -> RunnerHandle | None:
        """A runner by name, if it is alive."""
        with suppress(ValueError, RayError):
            handle: RunnerHandle = ray.get_actor(name, namespace=NAMESPACE)
            ray.get(handle.pid.remote(), timeout=AGENT_TIMEOUT_S)
            return handle
        return None

    def sweep(self, keep: Set[str]) -> None:
        """End actors and leases of ours that nobody knows any more."""
        for actor in ray.util.list_named_actors(all_namespaces=True):
            name = actor["name"]
            ours = actor["namespace"] == NAMESPACE and name.startswith("orch:job-")
            if ours and name not in keep:
                with suppress(ValueError, RayError):
                    ray.kill(ray.get_actor(name, namespace=NAMESPACE))
        leases.sweep(keep)

    def find_lease(self, name: str) -> leases.Lease | None:
        """A lease by name."""
        return leases.find(name)

    def kill(self, actor: ReplicaHandle | RunnerHandle) -> None:
        """End an actor at once."""
        with suppress(RayError, ValueError):
            ray.kill(cast("ActorHandle[Any]", actor))


def _is_head(node: dict[str, Any]) -> bool:
    return "node:__internal_head__" in node["Resources"]


def _node_name(node: dict[str, Any]) -> str:
    return "local" if _is_head(node) else str(node["NodeManagerHostname"])


def _unique(name: str, taken: set[str]) -> str:
    """The name, numbered if it is taken: several nodes can share a host."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    taken.add(candidate)
    return candidate


def _node_lost(node_id: str) -> OrchError:
    return OrchError.of(
        Code.NODE_LOST, f"the node {node_id[:8]} does not answer any more"
    )
