"""What must be left when no job runs: idle engines with their leases, nothing else."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

from tests.faults.census import Census, Held
from tests.faults.head import Head
from tests.faults.ledger import FOLDER
from tests.faults.processes import Processes

SETTLE_S = 30.0
"""Ending an engine takes some seconds, and the last one may have been loading."""
LOOK_S = 0.25
_NAME = re.compile(r"orch:job-(?P<job>[0-9]+)(\.[0-9]+)?:(?P<rest>.*)")


def leftovers(head: Head, census: Census) -> list[str]:
    """What is left that should not be, once the head has come to rest."""
    deadline = time.monotonic() + SETTLE_S
    pause = threading.Event()
    while found := _now(head, census):
        if time.monotonic() > deadline:
            break
        pause.wait(LOOK_S)
    return found


def _now(head: Head, census: Census) -> list[str]:
    with head.client() as client:
        jobs = client.jobs(every=True, limit=1)
        promised = client.gpus().reservations
    alive = [f"{n} {state}" for state, n in jobs.counts.items() if not state.final]
    busy = [
        f"{each.engine} is promised to {each.holder}"
        for each in promised
        if not each.idle
    ]
    last = max((job.key.number for job in jobs.jobs), default=0)
    engines = {each.engine for each in promised}
    return [
        *(f"jobs that are not over: {each}" for each in alive),
        *busy,
        *_held(census.ask(), engines, last),
        *_living(head.processes(), len(engines)),
    ]


def _held(held: Held, engines: set[str], last: int) -> Iterator[str]:
    for lease in sorted(held.leases - engines):
        yield f"lease {lease} is held by no engine"
    for engine in sorted(engines - held.leases):
        yield f"engine {engine} has no lease"
    for actor in sorted(held.actors):
        name = _NAME.fullmatch(actor)
        assert name is not None, actor
        of_engine = actor in engines or actor.rpartition(".")[0] in engines
        # A runner stands by under the name of the job that will come next.
        stands_by = name["rest"] == "runner" and int(name["job"]) > last
        if not of_engine and not stands_by:
            yield f"actor {actor} is left"


def _living(living: Processes, engines: int) -> Iterator[str]:
    agents = {each.pid for each in living.titled("ray::Agent")}
    for each in living.every:
        if FOLDER in each.environment:
            yield f"a process of a command is left: {each}"
    for shim in living.shims():
        yield f"a guard without a command: {shim}"
    for each in (*living.keepers(), *living.zygotes()):
        if each.parent not in agents:
            yield f"its agent is gone: {each}"
    replicas = living.titled("ray::Replica")
    if len(replicas) != engines:
        told = "; ".join(map(str, replicas))
        yield f"{len(replicas)} replicas for {engines} engines: {told}"
    forked = living.engines()
    if len(forked) != engines:
        told = "; ".join(map(str, forked))
        yield f"{len(forked)} engine processes for {engines}: {told}"
