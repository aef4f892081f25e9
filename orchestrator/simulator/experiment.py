"""The experiment of "Beware of Fragmentation" (Weng et al., USENIX ATC 2023).

Pods arrive in random order until they ask for 130 % of the GPUs there are; none leaves,
and one that does not fit is dropped. What counts is the share of the GPUs that is still
unallocated when the pods that came ask for 100 % and for 130 %.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev

from orchestrator.scheduling.board import Board, board_of
from orchestrator.scheduling.mix import typical
from orchestrator.scheduling.places import Places
from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.policy import Policy, Scoring
from orchestrator.scheduling.request import request_of
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.simulator.trace import WHOLE, Machine, Trace

DEMAND_PERCENT = 130
READ_AT = (100, 130)


@dataclass(frozen=True, slots=True)
class Run:
    """What one seed gave.

    Attributes:
        seed: Of the order of pods and nodes.
        unallocated: Percent of the GPUs, by percent of demand that has come.
        decisions: How many pods came.
        seconds: Processor time that deciding on them took.
    """

    seed: int
    unallocated: dict[int, float]
    decisions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """All seeds of one policy."""

    policy: str
    runs: tuple[Run, ...]

    def unallocated(self, percent: int) -> tuple[float, float]:
        """Mean and standard deviation over the seeds, at one of `READ_AT`."""
        values = [run.unallocated[percent] for run in self.runs]
        return mean(values), stdev(values) if len(values) > 1 else 0.0

    @property
    def ms_per_decision(self) -> float:
        """Mean processor time of a decision."""
        seconds = sum(run.seconds for run in self.runs)
        return 1000 * seconds / max(1, sum(run.decisions for run in self.runs))


def experiment(trace: Trace, scoring: Scoring, seed: int) -> Run:
    """Run one seed. The same seed gives the same pods to every policy.

    Args:
        trace: The cluster and its pods.
        scoring: What decides.
        seed: Of the order of the pods, and of the names of the nodes: ties go to the
            smallest name.
    """
    chance = random.Random(seed)
    capacity = WHOLE * max(1, sum(machine.gpus for machine in trace.machines))
    pods = _arrivals(trace.pods, capacity * DEMAND_PERCENT // 100, chance)
    requests = (request_of(pod) for pod in trace.pods)
    policy = Policy(headroom_percent=0, scoring=scoring, mix=typical(requests))
    board = board_of(_snapshot(trace.machines, chance), policy)
    keys = random.Random(seed) if scoring is Scoring.RANDOM else None
    return _run(seed, pods, capacity, _Planner(board, policy, keys))


class _Planner:
    """Decides as `schedule` does, on a board that is advanced and not made anew."""

    def __init__(
        self, board: Board, policy: Policy, keys: random.Random | None
    ) -> None:
        self._board = board
        self._places = Places(board, policy)
        self._keys = keys

    def place(self, demand: Demand) -> bool:
        request = request_of(demand)
        key = self._keys.getrandbits(64) if self._keys else None
        spot = self._places.best(request, key)
        if spot is None:
            return False
        self._board.take(spot, request)
        return True


def _run(seed: int, pods: Sequence[Demand], capacity: int, planner: _Planner) -> Run:
    arrived = allocated = 0
    seconds = 0.0
    curve: list[tuple[float, float]] = []
    for pod in pods:
        began = time.process_time()
        placed = planner.place(pod)
        seconds += time.process_time() - began
        arrived += _milli(pod)
        allocated += _milli(pod) if placed else 0
        curve.append((100 * arrived / capacity, 100 - 100 * allocated / capacity))
    unallocated = {percent: _read(curve, percent) for percent in READ_AT}
    return Run(seed, unallocated, len(pods), seconds)


def _read(curve: Sequence[tuple[float, float]], percent: int) -> float:
    """As the published figures are read: the mean over what rounds to the percent.

    Where the steps are too large for that, what it is once that percent has come.
    """
    near = [left for arrived, left in curve if round(arrived) == percent]
    if near:
        return mean(near)
    later = (left for arrived, left in curve if arrived >= percent)
    return next(later, curve[-1][1])


def _arrivals(
    pods: Sequence[Demand], wanted: int, chance: random.Random
) -> list[Demand]:
    """The pods in random order; dropped or repeated until they ask for `wanted`."""
    arriving = list(pods)
    chance.shuffle(arriving)
    asked = sum(map(_milli, arriving))
    if asked == 0:
        return arriving
    while asked > wanted:
        asked -= _milli(arriving.pop(chance.randrange(len(arriving))))
    while True:
        pod = pods[chance.randrange(len(pods))]
        asked += _milli(pod)
        if asked > wanted:
            return arriving
        arriving.append(pod)


def _snapshot(machines: Sequence[Machine], chance: random.Random) -> Snapshot:
    ranks = list(range(len(machines)))
    chance.shuffle(ranks)
    named = [(m, f"{rank:06d}") for rank, m in zip(ranks, machines, strict=True)]
    gpus = tuple(gpu for machine, name in named for gpu in machine.gpus_on(name))
    return Snapshot(gpus, nodes=tuple(m.named(name) for m, name in named))


def scaled(trace: Trace, nodes: int) -> Trace:
    """The trace with this many nodes: the first ones, or all of them several times."""
    machines = trace.machines
    times = -(-nodes // len(machines))
    return replace(trace, machines=(machines * times)[:nodes])


def _milli(pod: Demand) -> int:
    return pod.gang * pod.reserve_bytes
