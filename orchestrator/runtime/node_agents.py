"""The machines of the cluster and the agents on them: one actor a node."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.errors import Code, OrchError
from orchestrator.runtime.agent import Agent, AgentActor, Report
from orchestrator.scheduling.snapshot import Gpu

if TYPE_CHECKING:
    from ray.actor import ActorProxy

NAMESPACE = "orch"
AGENT_TIMEOUT_S = 5.0
AGENT_TRIES = 3
AGENT_START_TIMEOUT_S = 30.0
AGENT_BACK_S = 10.0
"""An agent that was killed is there again by then; Ray needs a second or two."""
AGENT_LOOK_S = 0.1
AGENT_CALLS = 32
"""Calls that an agent serves at a time; one waits for news of its commands."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster."""

    id: str
    name: str
    ip: str
    head: bool


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What a node has for commands.

    Attributes:
        node_id: Ray's id of it.
        name: Its name to people.
        head: Whether it is the head.
        cores: CPU cores that may be used there.
        memory_bytes: All of its memory.
        available_bytes: What of it can be had now without swapping.
    """

    node_id: str
    name: str
    head: bool
    cores: int
    memory_bytes: int
    available_bytes: int


class NodeAgents:
    """The nodes of the Ray that this process is connected to."""

    def __init__(self, logs: Path) -> None:
        """Use the state folder that `logs` lies in."""
        self._logs = logs
        self._agents: dict[str, ActorProxy[Agent]] = {}
        self._folders: dict[str, str] = {}
        self._lock = threading.Lock()

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
        return [gpu for _, report in self._reports() for gpu in report.gpus]

    def look(self) -> tuple[list[Gpu], list[NodeRoom]]:
        """Every GPU's report and what each node has for commands, read now."""
        reports = self._reports()
        gpus = [gpu for _, report in reports for gpu in report.gpus]
        return gpus, [_room(node, report) for node, report in reports]

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
        """Whether the node's agent is alive and answers. May take a while.

        A node that is slow is not lost: it is asked again while Ray has it.
        """
        agent = self._agents.get(node_id)
        for _ in range(AGENT_TRIES):
            if agent is None or node_id not in {node.id for node in self.nodes()}:
                return False
            with suppress(RayError):
                ray.get(agent.pid.remote(), timeout=AGENT_TIMEOUT_S)
                return True
        return False

    def agent(self, node_id: str) -> ActorProxy[Agent]:
        """The agent of a node; starts it if there is none yet.

        Raises:
            OrchError: E501, there is no such node any more.
        """
        known = self._agents.get(node_id)
        if known is not None:
            return known
        with self._lock:
            for node in self.nodes():
                if node.id == node_id:
                    return self._agent(node)
        raise node_lost(node_id)

    def folder(self, node_id: str) -> str:
        """The state folder of a node, as its newest report says."""
        return self._folders.get(node_id, str(self._logs.parent))

    def _reports(self) -> list[tuple[Node, Report]]:
        with self._lock:
            nodes = self.nodes()
            refs = [(node, self._agent(node).report.remote()) for node in nodes]
            found: list[tuple[Node, Report]] = []
            for node, ref in refs:
                report = self._report(node, ref)
                if report is not None:
                    self._folders[node.id] = report.folder
                    found.append((node, report))
            return found

    def _report(self, node: Node, ref: ray.ObjectRef[Report]) -> Report | None:
        """What the node says; of an agent that is just started again, by the new one.

        Without it a job that fits would be refused for ever: no GPU to be seen.
        """
        deadline = time.monotonic() + AGENT_BACK_S
        while True:
            try:
                return ray.get(ref, timeout=AGENT_START_TIMEOUT_S)
            except RayError as error:
                back = isinstance(error, ActorUnavailableError)
                late = time.monotonic() > deadline
                if not back or late or node not in self.nodes():
                    self._agents.pop(node.id, None)
                    return None
            threading.Event().wait(AGENT_LOOK_S)
            ref = self._agent(node).report.remote()

    def _agent(self, node: Node) -> ActorProxy[Agent]:
        if node.id not in self._agents:
            self._agents[node.id] = AgentActor.options(
                name=f"orch:agent:{node.name}:{node.id[:8]}",
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                num_cpus=0,
                max_restarts=-1,
                max_concurrency=AGENT_CALLS,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            ).remote(node.id, node.name, str(self._logs.parent) if node.head else "")
        return self._agents[node.id]


def _room(node: Node, report: Report) -> NodeRoom:
    return NodeRoom(
        node.id,
        node.name,
        node.head,
        report.cores,
        report.memory_bytes,
        report.available_bytes,
    )


def node_lost(node_id: str) -> OrchError:
    """The error that says so."""
    return OrchError.of(
        Code.NODE_LOST, f"the node {node_id[:8]} does not answer any more"
    )


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
