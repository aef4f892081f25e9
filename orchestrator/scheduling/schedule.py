"""The scheduler: one pure function from a demand and a snapshot to a plan."""

from __future__ import annotations

from orchestrator.scheduling.diagnosis import diagnose
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan
from orchestrator.scheduling.policy import DEFAULT, Policy
from orchestrator.scheduling.reasons import NAMED, plan_reason
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.scheduling.survey import Survey


def schedule(
    demand: Demand, snapshot: Snapshot, policy: Policy = DEFAULT
) -> Plan | Diagnosis:
    """Put one replica on every GPU that can take it, best ones first.

    All of the job's replicas, at least `demand.minimum`, or none. CPU devices are only
    looked at where the snapshot has no GPU at all, healthy or not.

    Args:
        demand: What one replica asks for; its bytes are for `snapshot.kind`.
        snapshot: The cluster.
        policy: The constants of placement.
    """
    survey = Survey.of(demand, snapshot, policy)
    spots = survey.spots()
    left_out = survey.left_out(spots)
    if len(spots) < demand.minimum:
        refusals = survey.refusals(left_out)
        return diagnose(demand, len(spots), refusals, snapshot.kind)
    taken = spots[: demand.maximum]
    placements = survey.placements(taken)
    reason = plan_reason(
        demand,
        placements,
        survey.refusals(left_out[:NAMED]),
        unnamed=len(left_out) - NAMED,
        spare=len(spots) - len(taken),
    )
    return Plan(demand, placements, reason, survey.hosts(taken))
