"""Plans that can be carried out: a replica is one GPU, as long as none is cut."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.scheduling.layout import Alternative, Layout, Mode
from orchestrator.scheduling.options import layout_of
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Snapshot

NOT_YET = "a model cut over several GPUs is planned, but cannot be run yet"


def schedule_runnable(
    demand: Demand, snapshot: Snapshot, policy: Policy
) -> Plan | Diagnosis:
    """What happens to a job now; a cut only where nothing else will ever do.

    Where the job can run whole, now or later, the answer is that, with the layouts that
    it beat. Else it is how the model would be cut: `only_cut` tells the two apart.

    Args:
        demand: What one replica asks for, with its `pieces`.
        snapshot: The cluster.
        policy: The constants of placement.
    """
    whole = schedule(replace(demand, pieces=None), snapshot, policy)
    if demand.pieces is None or (isinstance(whole, Diagnosis) and whole.ever):
        return whole
    cut = schedule(demand, snapshot, policy)
    if isinstance(whole, Diagnosis) or isinstance(cut, Diagnosis):
        return cut
    if cut.layout is None or cut.layout.mode is Mode.REPLICATE:
        return cut
    return _instead(whole, cut.layout)


def only_cut(answer: Plan | Diagnosis) -> bool:
    """Whether the job could run with its model cut, and in no other way."""
    if isinstance(answer, Plan):
        return answer.layout is not None and answer.layout.mode is not Mode.REPLICATE
    return answer.ever and answer.demand.pieces is not None


def _instead(whole: Plan, better: Layout) -> Plan:
    """Replicas, where the planner would have cut the model for latency."""
    replicas = len({placement.replica for placement in whole.placements})
    times = f"{better.speed_percent / 100:.2f}x"
    because = f"it answers a request {times} as fast as one GPU, but {NOT_YET}"
    return replace(
        whole,
        layout=layout_of(Mode.REPLICATE, replicas, 1),
        alternatives=(Alternative(better.mode, better, because),),
    )
