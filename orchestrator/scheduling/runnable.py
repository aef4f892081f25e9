"""Plans that can be carried out: a replica is one GPU, as long as none is cut."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.scheduling.decide import considered, impossible
from orchestrator.scheduling.layout import Alternative, Cure, Layout, Mode
from orchestrator.scheduling.options import layout_of
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan, Reason
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import Snapshot


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
    if isinstance(whole, Diagnosis) and isinstance(cut, Diagnosis):
        return _neither(whole, cut)
    if isinstance(whole, Diagnosis) or isinstance(cut, Diagnosis):
        return cut
    if cut.layout is None or cut.layout.mode is Mode.REPLICATE:
        return cut
    return _instead(whole, cut.layout)


def _neither(whole: Diagnosis, cut: Diagnosis) -> Diagnosis:
    """Why it never runs: each GPU is asked for all of the model, which it will hold."""
    modes = considered(cut.demand)
    if cut.ever or Mode.REPLICATE not in modes:
        return cut
    others = [m for m in modes if m is not Mode.REPLICATE]
    why = [f"{mode}: {impossible(cut.demand, mode)}" for mode in others]
    summary = "; ".join([whole.summary, *why])
    cures = tuple(_marked(cure, whole) for cure in cut.cures)
    return replace(whole, demand=cut.demand, summary=summary, cures=cures)


def _marked(cure: Cure, whole: Diagnosis) -> Cure:
    """More GPUs that are all too small help only to cut the model."""
    small = all(refusal.reason is Reason.TOO_SMALL for refusal in whole.refusals)
    if whole.able or not small or cure.what not in ("gpus", "count"):
        return cure
    return replace(cure, text=f"{cure.text}, to cut the model (not run yet)")


def _instead(whole: Plan, better: Layout) -> Plan:
    """Replicas, where the planner would have cut the model for latency."""
    replicas = len({placement.replica for placement in whole.placements})
    times = f"{better.speed_percent / 100:.2f}x"
    because = f"it answers a request {times} as fast as one GPU, but it is not run yet"
    return replace(
        whole,
        layout=layout_of(Mode.REPLICATE, replicas, 1),
        alternatives=(Alternative(better.mode, better, because),),
    )
