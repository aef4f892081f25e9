"""The scheduler: one pure function from a demand and a snapshot to a plan."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.scheduling.decide import beaten, considered, impossible, winner
from orchestrator.scheduling.diagnosis import diagnose
from orchestrator.scheduling.layout import Mode
from orchestrator.scheduling.options import layout_of, sharded
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan, Reason, Refusal
from orchestrator.scheduling.policy import DEFAULT, Policy
from orchestrator.scheduling.reasons import NAMED, plan_reason, shards_reason
from orchestrator.scheduling.snapshot import Snapshot
from orchestrator.scheduling.survey import Survey
from orchestrator.scheduling.what_if import cures, idle


def schedule(
    demand: Demand, snapshot: Snapshot, policy: Policy = DEFAULT
) -> Plan | Diagnosis:
    """Give every replica of a job its place, all of them at once or none.

    A model that fits on one GPU gets a replica on every GPU that can take it, best ones
    first. One that does not is cut over the fewest GPUs that hold it, and there are as
    many replicas of that as may be; so too if the job wants latency, over the most.
    CPU devices are only looked at where the snapshot has no GPU at all, healthy or not.

    Args:
        demand: What one replica asks for; its bytes are for `snapshot.kind`.
        snapshot: The cluster.
        policy: The constants of placement.
    """
    answer = _decided(demand, snapshot, policy)
    if isinstance(answer, Plan) or not _intricate(demand):
        return answer
    empty = idle(snapshot)

    def fits(other: Demand, cluster: Snapshot) -> bool:
        return isinstance(_decided(other, cluster, policy), Plan)

    kind = snapshot.kind
    if fits(demand, empty):
        return diagnose(demand, answer.able, answer.refusals, kind, ever=True)
    refusals = tuple(map(_for_good, answer.refusals))
    never = diagnose(demand, answer.able, refusals, kind, ever=False)
    return replace(never, cures=cures(demand, empty, fits))


def _for_good(refusal: Refusal) -> Refusal:
    if refusal.reason is not Reason.NODE_BUSY:
        return refusal
    return replace(refusal, reason=Reason.NODE_TOO_SMALL)


def _intricate(demand: Demand) -> bool:
    """Whether its GPUs cannot be counted one by one."""
    of_node = demand.cpu_milli or demand.ram_bytes or demand.gang != 1
    forced = demand.mode or demand.replicas or demand.shards
    return bool(of_node or forced or demand.pieces)


def _decided(demand: Demand, snapshot: Snapshot, policy: Policy) -> Plan | Diagnosis:
    survey = Survey.of(demand, snapshot, policy)
    modes = considered(demand)
    if modes == (Mode.REPLICATE,) and demand.pieces is None:
        return _whole(survey, snapshot)
    plans = {mode: _in_mode(survey, snapshot, mode) for mode in modes}
    layouts = {mode: plan.layout if plan else None for mode, plan in plans.items()}
    chosen = plans.get(winner(demand, layouts) or Mode.REPLICATE)
    if chosen is None or chosen.layout is None:
        return _none(survey, snapshot, modes)
    return replace(chosen, alternatives=beaten(demand, chosen.layout, layouts))


def _whole(survey: Survey, snapshot: Snapshot) -> Plan | Diagnosis:
    """A replica is a GPU, or a gang of them, with all of the model."""
    demand = survey.demand
    least = demand.replicas or demand.minimum
    spots = survey.spots()
    left_out = survey.left_out(spots)
    if len(spots) < least:
        refusals = survey.refusals(left_out)
        return diagnose(demand, len(spots), refusals, snapshot.kind)
    taken = spots[: demand.replicas or demand.maximum]
    placements = survey.placements(taken)
    reason = plan_reason(
        demand,
        placements,
        survey.refusals(left_out[:NAMED]),
        unnamed=len(left_out) - NAMED,
        spare=len(spots) - len(taken),
    )
    return Plan(demand, placements, reason, survey.hosts(taken))


def _in_mode(survey: Survey, snapshot: Snapshot, mode: Mode) -> Plan | None:
    if mode is not Mode.REPLICATE:
        return _cut(survey, mode)
    answer = _whole(survey, snapshot)
    if isinstance(answer, Diagnosis):
        return None
    replicas = len({placement.replica for placement in answer.placements})
    return replace(answer, layout=layout_of(Mode.REPLICATE, replicas, 1))


def _cut(survey: Survey, mode: Mode) -> Plan | None:
    """A replica is several GPUs that have a part of the model each."""
    demand = survey.demand
    if demand.pieces is None:
        return None
    option = sharded(survey.board, demand, demand.pieces, mode)
    if option is None:
        return None
    return Plan(
        demand,
        survey.pieces(option.replicas),
        shards_reason(demand, option.layout, option.replicas),
        survey.shard_hosts(option.replicas),
        layout=option.layout,
    )


def _none(survey: Survey, snapshot: Snapshot, modes: tuple[Mode, ...]) -> Diagnosis:
    demand = survey.demand
    tried = [f"{mode}: {impossible(demand, mode)}" for mode in modes]
    refusals = survey.refusals_of_pieces("; ".join(tried))
    return diagnose(demand, 0, refusals, snapshot.kind)
