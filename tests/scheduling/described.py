"""Clusters, demands and outcomes in short strings, so that a test is a row of a table.

cluster  `a: 24/23.1 4090 | 8 sick ; b: cpu 8`: nodes apart by `;`, GPUs by `|`; each
         is total/free in GiB (trailing `-` or `+`: bytes less or more), then a model
         name, and
             sick        unhealthy              cpu         a CPU device
             pid=3       a foreign process      job=6/2     a running replica and
             idle.K=6/2  an idle engine of key K, reserved 6, seen 2 (default: all)
demand   `6 2..3 -a:0 whole key=K`: GiB, how many GPUs, excluded ones
outcome  `a:0 | a:1 warm | a:2 -x`: replicas in order, `-x`: engine x is evicted;
         `later: a:0 busy | a:1 foreign_use` and `never: ...`: a diagnosis
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from orchestrator.scheduling.plan import Demand, Diagnosis, Placement, Plan
from orchestrator.scheduling.snapshot import (
    DeviceKind,
    Gpu,
    Owner,
    Reservation,
    Snapshot,
    Uuid,
)
from orchestrator.units import GIB


def gib(text: str) -> int:
    amount = int(Fraction(text.rstrip("+-")) * GIB)
    return amount + text.count("+") - text.count("-")


@dataclass
class _Words:
    """What the words behind a GPU's size say."""

    name: str
    kind: DeviceKind = DeviceKind.CUDA
    model: str = "GPU"
    problem: str = ""
    owners: list[Owner] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)

    def add(self, word: str) -> None:
        key, _, value = word.partition("=")
        if word == "sick":
            self.problem = "fell off the bus"
        elif word == "cpu":
            self.kind = DeviceKind.CPU
        elif key == "pid":
            pid = 5121 + len(self.owners)
            self.owners.append(Owner(pid, "python", "ann", gib(value)))
        elif key == "job" or key.startswith("idle."):
            self.reservations.append(self._reservation(key, value))
        else:
            self.model = word

    def _reservation(self, key: str, value: str) -> Reservation:
        reserved, _, used = value.partition("/")
        what, _, engine_key = key.partition(".")
        count = len(self.reservations)
        return Reservation(
            gpu=Uuid(f"uuid-{self.name}"),
            holder="job 42 replica 0" if what == "job" else f"idle {engine_key}",
            reserved_bytes=gib(reserved),
            used_bytes=gib(used or reserved),
            engine=f"{engine_key or what}@{self.name}" + (f"#{count}" if count else ""),
            engine_key=engine_key,
            idle=what == "idle",
        )


def snapshot_of(cluster: str) -> Snapshot:
    gpus: list[Gpu] = []
    reservations: list[Reservation] = []
    for line in filter(str.strip, cluster.split(";")):
        node, _, listed = line.partition(":")
        for index, text in enumerate(listed.split("|")):
            gpu, held = _gpu(node.strip(), index, text)
            gpus.append(gpu)
            reservations += held
    return Snapshot(tuple(gpus), tuple(reservations))


def _gpu(node: str, index: int, text: str) -> tuple[Gpu, list[Reservation]]:
    words = text.split()
    size = next(word for word in words if word[0].isdigit())
    words.remove(size)
    said = _Words(f"{node}:{index}")
    for word in words:
        said.add(word)
    total, _, free = size.partition("/")
    gpu = Gpu(
        uuid=Uuid(f"uuid-{node}:{index}"),
        node_id=f"id-{node}",
        node=node,
        index=index,
        model=said.model,
        kind=said.kind,
        total_bytes=gib(total),
        free_bytes=gib(free or total),
        problem=said.problem,
        owners=tuple(said.owners),
    )
    return gpu, said.reservations


def demand_from(text: str) -> Demand:
    minimum, maximum, exclude, whole, key = 1, None, [], False, "K"
    needed, *words = text.split()
    for word in words:
        if word.startswith("-"):
            exclude.append(word[1:])
        elif word == "whole":
            whole = True
        elif word.startswith("key="):
            key = word[4:]
        else:
            low, _, high = word.partition("..")
            minimum, maximum = int(low), int(high) if high else None
    return Demand(
        engine_key=key,
        weights_bytes=gib(needed) - GIB,
        activation_bytes=GIB // 2,
        context_bytes=GIB // 2,
        minimum=minimum,
        maximum=maximum,
        exclude=tuple(exclude),
        whole=whole,
    )


def outcome(answer: Plan | Diagnosis) -> str:
    if isinstance(answer, Plan):
        return " | ".join(map(_placed, answer.placements))
    refused = [f"{r.gpu.name} {r.reason}" for r in answer.refusals]
    return f"{'later' if answer.ever else 'never'}: {' | '.join(refused)}".strip()


def _placed(placement: Placement) -> str:
    words = [placement.gpu.name]
    if placement.warm:
        words.append("warm")
    return " ".join([*words, *(f"-{engine}" for engine in placement.evict)])
