from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.controller.fleet import Engine, Fleet, Leak
from orchestrator.lifecycle.key import JobKey
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Owner, Uuid
from orchestrator.units import GIB
from tests.scheduling.described import demand_from, snapshot_of

FIRST, SECOND = JobKey(1), JobKey(2)
BOX = "local: 24 | 24"


def gpus_of(cluster: str = BOX) -> tuple[Gpu, ...]:
    return snapshot_of(cluster).gpus


def plan_on(fleet: Fleet, demand: str, gpus: Sequence[Gpu]) -> Plan:
    plan = schedule(demand_from(demand), fleet.snapshot(gpus))
    assert isinstance(plan, Plan)
    return plan


def placed(fleet: Fleet, job: int, demand: str = "4 1..2", cluster: str = BOX) -> Plan:
    """A job with its promises in the ledger, its engines loaded."""
    plan = plan_on(fleet, demand, gpus_of(cluster))
    names = [f"job-{job}-{p.replica}" for p in plan.placements]
    fleet.reserve(JobKey(job), "model", plan, names)
    for engine in fleet.of_job(JobKey(job)):
        engine.pid = engine.pid or 100 * job + engine.replica
    return plan


def seen(fleet: Fleet, gpus: Sequence[Gpu], used_bytes: int) -> tuple[Gpu, ...]:
    """The reports once every engine holds this much."""
    return tuple(
        replace(
            gpu,
            free_bytes=gpu.free_bytes - used_bytes * len(pids),
            owners=tuple(Owner(pid, "orch", "us", used_bytes) for pid in pids),
        )
        for gpu in gpus
        for pids in [
            [e.pid for e in fleet.engines.values() if e.gpu.uuid == gpu.uuid and e.pid]
        ]
    )


def test_a_plan_is_promised_to_its_job() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    assert [e.name for e in fleet.of_job(FIRST)] == ["job-1-0", "job-1-1"]
    assert [e.reserved_bytes for e in fleet.of_job(FIRST)] == [4 * GIB] * 2
    assert fleet.of_job(SECOND) == []
    assert fleet.idle() == []


def test_a_promise_counts_before_anything_shows_it() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    for engine in fleet.of_job(FIRST):
        engine.pid = 0
    snapshot = fleet.snapshot(gpus_of())
    assert [r.used_bytes for r in snapshot.reservations] == [0, 0]
    assert [r.holder for r in snapshot.reservations] == ["job 1", "job 1"]
    assert not any(r.idle for r in snapshot.reservations)


def test_what_a_gpu_shows_of_a_promise_is_not_counted_twice() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    snapshot = fleet.snapshot(seen(fleet, gpus_of(), 3 * GIB))
    assert [r.used_bytes for r in snapshot.reservations] == [3 * GIB] * 2


def test_a_loaded_engine_that_is_not_listed_counts_as_shown() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    cpu = [replace(gpu, kind=DeviceKind.CPU) for gpu in gpus_of()]
    snapshot = fleet.snapshot(cpu)
    assert [r.used_bytes for r in snapshot.reservations] == [4 * GIB] * 2


def test_our_own_processes_are_no_strangers() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    gpus = list(seen(fleet, gpus_of(), GIB))
    stranger = Owner(7, "train.py", "ann", GIB)
    gpus[0] = replace(gpus[0], owners=(*gpus[0].owners, stranger))
    assert [g.owners for g in fleet.snapshot(gpus).gpus] == [(stranger,), ()]


def test_a_stranger_with_our_pid_on_another_node_is_one() -> None:
    fleet = Fleet()
    placed(fleet, 1, "4 1..1")
    pid = fleet.of_job(FIRST)[0].pid
    stranger = Owner(pid, "train.py", "ann", GIB)
    gpus = [replace(gpu, owners=(stranger,)) for gpu in gpus_of("a: 24 ; b: 24")]
    gpus[0] = replace(gpus[0], uuid=fleet.of_job(FIRST)[0].gpu.uuid)
    assert [g.owners for g in fleet.snapshot(gpus).gpus] == [(), (stranger,)]


def test_idle_engines_of_the_same_model_change_hands() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    for engine in fleet.of_job(FIRST):
        fleet.idle_from_now(engine, 60)
    assert len(fleet.idle()) == 2
    assert [r.holder for r in fleet.snapshot(gpus_of()).reservations] == [
        "idle model",
        "idle model",
    ]
    plan = placed(fleet, 2)
    assert [p.warm for p in plan.placements] == ["job-1-0", "job-1-1"]
    assert [e.name for e in fleet.of_job(SECOND)] == ["job-1-0", "job-1-1"]
    assert fleet.idle() == []
    assert fleet.of_job(FIRST) == []
    assert all(engine.idle_until is None for engine in fleet.of_job(SECOND))


def test_a_warm_engine_is_promised_what_its_new_job_needs() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    for engine in fleet.of_job(FIRST):
        fleet.idle_from_now(engine, 60)
    placed(fleet, 2, "6 1..2")
    assert [e.reserved_bytes for e in fleet.of_job(SECOND)] == [6 * GIB] * 2


def test_an_engine_in_the_way_leaves_but_keeps_its_promise_until_it_is_gone() -> None:
    fleet = Fleet()
    placed(fleet, 1, "20 1..2")
    for engine in fleet.of_job(FIRST):
        fleet.idle_from_now(engine, 60)
    plan = plan_on(fleet, "20 1..2 key=other", seen(fleet, gpus_of(), 20 * GIB))
    assert [p.evict for p in plan.placements] == [("job-1-0",), ("job-1-1",)]
    fleet.reserve(SECOND, "other", plan, ["job-2-0", "job-2-1"])
    assert fleet.idle() == []
    assert len(fleet.engines) == 4
    assert not any(r.idle for r in fleet.snapshot(gpus_of()).reservations)


def test_a_name_is_not_given_away_while_its_engine_is_there() -> None:
    fleet = Fleet()
    placed(fleet, 1, "4 1..1", "local: 24 | 8")
    (old,) = fleet.of_job(FIRST)
    old.job, old.leaving = None, True
    placed(fleet, 1, "4 1..1", "local: 8 | 24")
    (new,) = fleet.of_job(FIRST)
    assert new is not old
    assert new.name != old.name
    assert fleet.engines[old.name] is old
    assert fleet.engines[new.name] is new


def test_names_are_kept_as_long_as_a_runner_may_know_them() -> None:
    fleet = Fleet()
    placed(fleet, 1, "4 1..1", "local: 24 | 8")
    (old,) = fleet.of_job(FIRST)
    old.job, old.leaving = None, True
    fleet.job_over(SECOND)
    fleet.job_over(FIRST)
    assert list(fleet.given) == [old.name], "its engine is still there"
    fleet.known_to(SECOND, old.name)
    del fleet.engines[old.name]
    fleet.job_over(FIRST)
    assert list(fleet.given) == [old.name], "another job took it over"
    fleet.job_over(SECOND)
    assert not fleet.given


def test_no_two_lives_of_an_engine_share_a_name() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    engine = fleet.of_job(FIRST)[0]
    assert [engine.begin_life() for _ in range(3)] == [
        "job-1-0",
        "job-1-0.2",
        "job-1-0.3",
    ]
    again = Engine.from_json(engine.name, json.loads(json.dumps(engine.to_json())))
    assert again.actor == "job-1-0.3"
    assert again.begin_life() == "job-1-0.4"


def test_idle_engines_go_when_their_time_is_over() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    first, second = fleet.of_job(FIRST)
    fleet.idle_from_now(first, 0)
    fleet.idle_from_now(second, 3600)
    assert fleet.expired() == [first]
    first.leaving = True
    assert fleet.expired() == []


def test_a_working_engine_never_expires() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    assert fleet.expired() == []


def test_idle_engines_are_crowded_out_where_memory_ends() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    first, second = fleet.of_job(FIRST)
    tight = [replace(gpus_of()[0], free_bytes=GIB // 8), gpus_of()[1]]
    assert fleet.crowded(tight) == [], "not while it works"
    fleet.idle_from_now(first, 60)
    fleet.idle_from_now(second, 60)
    assert fleet.crowded(tight) == [first]


def test_a_leak_keeps_its_gpu_out_until_the_memory_is_back() -> None:
    fleet = Fleet()
    gpus = gpus_of()
    fleet.leaked[gpus[0].uuid] = Leak(gpus[0].uuid, 55, "MiniLM")
    holding = [replace(gpus[0], owners=(Owner(55, "orch", "us", GIB),)), gpus[1]]
    problems = [gpu.problem for gpu in fleet.snapshot(holding).gpus]
    assert problems == ["E106: process 55 of MiniLM still holds memory", ""]
    fleet.settle_leaks(holding)
    assert Uuid(gpus[0].uuid) in fleet.leaked
    fleet.settle_leaks(gpus)
    assert fleet.leaked == {}


def test_an_engine_is_read_as_it_was_saved() -> None:
    fleet = Fleet()
    placed(fleet, 1)
    engine = fleet.of_job(FIRST)[1]
    engine.begin_life()
    engine.description = "MiniLM float16"
    again = Engine.from_json(engine.name, json.loads(json.dumps(engine.to_json())))
    assert again == engine
