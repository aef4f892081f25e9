"""The scheduler: one pure function from a demand and a snapshot to a plan."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.scheduling.diagnosis import diagnose
from orchestrator.scheduling.filters import Candidate, refuse
from orchestrator.scheduling.offers import offer
from orchestrator.scheduling.plan import Demand, Diagnosis, Placement, Plan, Refusal
from orchestrator.scheduling.policy import DEFAULT, Policy
from orchestrator.scheduling.reasons import plan_reason
from orchestrator.scheduling.scores import best_first, place
from orchestrator.scheduling.snapshot import Snapshot


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
    offers, refusals = _look(demand, snapshot, policy)
    if len(offers) < demand.minimum:
        return diagnose(demand, len(offers), refusals, snapshot.kind)
    taken = best_first(offers)[: demand.maximum]
    placements = tuple(
        replace(placement, replica=replica)
        for replica, placement in enumerate(sorted(taken, key=place))
    )
    spare = len(offers) - len(taken)
    return Plan(demand, placements, plan_reason(demand, placements, refusals, spare))


def _look(
    demand: Demand, snapshot: Snapshot, policy: Policy
) -> tuple[list[Placement], list[Refusal]]:
    offers: list[Placement] = []
    refusals: list[Refusal] = []
    for gpu in snapshot.candidates():
        candidate = Candidate(
            gpu=gpu,
            reservations=snapshot.on(gpu.uuid),
            needed_bytes=demand.reserve_bytes,
            headroom_bytes=policy.headroom_bytes(gpu),
            exclude=demand.exclude,
        )
        refusal = refuse(candidate)
        if refusal is None:
            offers.append(offer(candidate, demand, policy))
        else:
            refusals.append(refusal)
    return offers, refusals
