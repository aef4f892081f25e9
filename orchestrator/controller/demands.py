"""What a job asks of GPUs, and the scheduler's answer to it alone."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.estimates import pieces_of_files
from orchestrator.controller.store import Store
from orchestrator.engines.model_files import ModelFiles
from orchestrator.estimate.known import Known
from orchestrator.scheduling.plan import Demand, Diagnosis, Plan
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.runnable import schedule_runnable
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import DeviceKind, Snapshot

POLICY = Policy(evict_all_idle=True)
"""A lease is a whole GPU: an idle engine cannot stay beside a new one."""


def demand_of(
    store: Store | None, work: BatchWork, files: ModelFiles | None, snapshot: Snapshot
) -> Demand:
    """What one replica of this work asks of a GPU of this cluster.

    Raises:
        OrchError: E203, its memory cannot be told.
    """
    key = work.engine_key(snapshot.kind, files)
    return work.demand(snapshot, files, store.known(key) if store else Known())


def admission_for(
    store: Store | None, work: BatchWork, files: ModelFiles | None, snapshot: Snapshot
) -> Plan | Diagnosis:
    """The same as `plan_for`, without the layouts that a plan has beaten: sooner.

    Raises:
        OrchError: E203, its memory cannot be told.
    """
    whole = schedule(demand_of(store, work, files, snapshot), snapshot, POLICY)
    if isinstance(whole, Plan) or whole.ever:
        return whole
    return plan_for(store, work, files, snapshot)


def plan_for(
    store: Store | None, work: BatchWork, files: ModelFiles | None, snapshot: Snapshot
) -> Plan | Diagnosis:
    """The scheduler's answer for this work on this snapshot.

    How the model could be cut is a question here only: what is placed is whole.

    Raises:
        OrchError: E203, its memory cannot be told.
    """
    demand = demand_of(store, work, files, snapshot)
    # Pieces of a model on shares of one machine's RAM would gain nothing.
    if files is not None and snapshot.kind is not DeviceKind.CPU:
        dtype, weights = work.job.model.dtype, demand.weights_bytes
        pieces = pieces_of_files(files, dtype, snapshot.kind, weights)
        demand = replace(demand, pieces=pieces)
    return schedule_runnable(demand, snapshot, POLICY)
