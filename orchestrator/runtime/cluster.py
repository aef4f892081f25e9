"""All that the controller does to the cluster. Every call to Ray lives here or below.

Names are what a user sees in the Ray dashboard: `orch:job-42:replica-0`.
"""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from orchestrator.engines.base import EngineSpec, Loaded
from orchestrator.errors import Code
from orchestrator.runtime import leases
from orchestrator.runtime.node_agents import (
    AGENT_START_TIMEOUT_S,
    AGENT_TIMEOUT_S,
    NAMESPACE,
    Node,
    NodeRoom,
    node_lost,
)
from orchestrator.runtime.node_commands import NodeCommands
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

__all__ = ["Cluster", "Node", "NodeRoom", "ReplicaHandle", "RunnerHandle"]


class Cluster(NodeCommands):
    """The cluster of the Ray that this process is connected to."""

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
        return ReplicaActor.options(
            name=name,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            num_gpus=1 if gpu.kind is DeviceKind.CUDA else 0,
            max_concurrency=MAX_CHUNKS + 4,
            scheduling_strategy=PlacementGroupSchedulingStrategy(lease.group, 0),
        ).remote(name, self.folder(gpu.node_id))

    def load(
        self, replica: ReplicaHandle, node_id: str, spec: EngineSpec
    ) -> tuple[Loaded, tuple[int, int]]:
        """Load the model into a replica; returns what it says and its two pids.

        Raises:
            OrchError: E102, E103, E105, or E501 if its node went away meanwhile.
        """
        with translated(Code.GPU_LOST, "the replica died while it loaded"):
            agent = self.agent(node_id)
            zygote = ray.get(agent.zygote.remote(), timeout=AGENT_START_TIMEOUT_S)
            loading = replica.load.remote(zygote, spec)
            while not ray.wait([loading], timeout=AGENT_TIMEOUT_S)[0]:
                if not self.node_answers(node_id):
                    raise node_lost(node_id)
            return ray.get(loading), ray.get(replica.pids.remote())

    def begin_replica(
        self, replica: ReplicaHandle, log: str, redact: tuple[str, ...] = ()
    ) -> None:
        """Have a replica write into the log of the job that it now works for.

        Call it before `load`, and before a warm one gets its first rows of the job.

        Args:
            replica: New or warm.
            log: In the state folder of the replica's node:
                `jobs/42/attempt-1/rank-0.log`.
            redact: Texts that the log shows as `***`.

        Raises:
            OrchError: E105, it is gone.
        """
        with translated(Code.GPU_LOST, "the replica was lost"):
            begun = replica.begin.remote(log, redact)
            ray.get(begun, timeout=AGENT_START_TIMEOUT_S)

    def end_replica(self, replica: ReplicaHandle, timeout_s: float) -> int:
        """Let the engine end by itself, within the timeout, then end the actor.

        Returns:
            The engine's pid, whose memory may take a moment yet; 0 if it has none or
            the actor did not say.
        """
        pid = 0
        with suppress(RayError, GetTimeoutError):
            _, pid = ray.get(replica.pids.remote(), timeout=AGENT_TIMEOUT_S)
            ray.get(replica.stop.remote(), timeout=timeout_s)
            ray.get(replica.wait_gone.remote(timeout_s), timeout=timeout_s + 1)
        self.kill(replica)
        return pid

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
