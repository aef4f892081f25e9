"""Clusters, demands and outcomes in short strings, so that a test is a row of a table.

cluster  `a: 24/23.1 4090 | 8 sick ; b: cpu 8`: nodes apart by `;`, GPUs by `|`; each
         is total/free in GiB (trailing `-` or `+`: bytes less or more), then a model
         name, and
             sick        unhealthy              cpu         a CPU device
             pid=3       a foreign process      job=6/2     a running replica and
             idle.K=6/2  an idle engine of key K, reserved 6, seen 2 (default: all)
             share.J=6   a replica of job J that shares its GPU
             cc8.0       compute capability     nv          NVLink to the node's nv
         `a(16c 64g): ...`: the node has 16 cores and 64 GiB of RAM to give;
         `a(16-12c 64-8g)`: 12 cores and 8 GiB of that are promised
demand   `6 2..3 -a:0 whole key=K`: GiB, how many GPUs, excluded ones; and
             share       beside others          job=J       the job it is for
             type=4090   or cc>=8.0: the GPU's  gang=2      GPUs of one node together
             cpu=4 ram=8 of the node, in cores and GiB
             layers=32 heads=32/8 cache=4       how it can be cut
             latency  mode=tensor  replicas=2  shards=2
outcome  `a:0 | a:1 warm | a:2 -x`: replicas in order, `-x`: engine x is evicted;
         `a:0 + a:1`: a replica over two GPUs; `a:0[0-23] + a:1[23-32]`: its stages;
         `on a`: a replica that needs no GPU;
         `later: a:0 busy | a:1 foreign_use` and `never: ...`: a diagnosis
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from typing import Any

from orchestrator.scheduling.layout import Mode, Objective, Pieces
from orchestrator.scheduling.plan import Demand, Diagnosis, Placement, Plan
from orchestrator.scheduling.snapshot import (
    DeviceKind,
    Gpu,
    HostReservation,
    Node,
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
    compute: int = 0
    linked: bool = False
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
        elif word == "nv":
            self.linked = True
        elif re.fullmatch(r"cc\d+\.\d", word):
            self.compute = int(word[2:].replace(".", ""))
        elif key == "job" or key.startswith(("idle.", "share.")):
            self.reservations.append(self._reservation(key, value))
        else:
            self.model = word

    def _reservation(self, key: str, value: str) -> Reservation:
        reserved, _, used = value.partition("/")
        what, _, engine_key = key.partition(".")
        count = len(self.reservations)
        idle = what == "idle"
        return Reservation(
            gpu=Uuid(f"uuid-{self.name}"),
            holder=f"idle {engine_key}" if idle else "job 42 replica 0",
            reserved_bytes=gib(reserved),
            used_bytes=gib(used or reserved),
            engine=f"{engine_key or what}@{self.name}" + (f"#{count}" if count else ""),
            engine_key=engine_key,
            idle=idle,
            shared=what == "share",
            job=engine_key if what == "share" else "",
        )


def snapshot_of(cluster: str) -> Snapshot:
    gpus: list[Gpu] = []
    reservations: list[Reservation] = []
    nodes: list[Node] = []
    hosts: list[HostReservation] = []
    for line in filter(str.strip, cluster.split(";")):
        head, _, listed = line.partition(":")
        name, _, host = head.strip().partition("(")
        if host:
            _host(name, host, nodes, hosts)
        linked: set[Uuid] = set()
        found: list[Gpu] = []
        for index, text in enumerate(filter(str.strip, listed.split("|"))):
            gpu, held, peer = _gpu(name, index, text)
            found.append(gpu)
            reservations += held
            linked |= {gpu.uuid} if peer else set()
        gpus += [
            replace(g, peers=tuple(linked - {g.uuid})) if g.uuid in linked else g
            for g in found
        ]
    return Snapshot(tuple(gpus), tuple(reservations), tuple(nodes), tuple(hosts))


def _host(
    name: str, text: str, nodes: list[Node], hosts: list[HostReservation]
) -> None:
    cores, ram = text.rstrip(") ").split()
    (cpu, cpu_used), (size, size_used) = (_pair(word[:-1]) for word in (cores, ram))
    nodes.append(Node(f"id-{name}", name, int(cpu * 1000), int(size * GIB)))
    if cpu_used or size_used:
        used = (int(cpu_used * 1000), int(size_used * GIB))
        hosts.append(HostReservation(f"id-{name}", "job 9", *used))


def _pair(text: str) -> tuple[Fraction, Fraction]:
    total, _, used = text.partition("-")
    return Fraction(total), Fraction(used or 0)


def _gpu(node: str, index: int, text: str) -> tuple[Gpu, list[Reservation], bool]:
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
        compute=said.compute,
    )
    return gpu, said.reservations, said.linked


def demand_from(text: str) -> Demand:
    needed, *words = text.split()
    said: dict[str, Any] = {"engine_key": "K", "exclude": (), "gpu_type": ()}
    for word in words:
        if word.startswith("-"):
            said["exclude"] += (word[1:],)
        elif word in ("whole", "share"):
            said[word] = True
        elif word == "latency":
            said["objective"] = Objective.LATENCY
        elif word.startswith("cc"):
            said["gpu_type"] += (word,)
        elif "=" not in word:
            low, _, high = word.partition("..")
            said.update(minimum=int(low), maximum=int(high) if high else None)
    named = dict(word.split("=") for word in words if re.match(r"[a-z]+=", word))
    activations = gib(named.get("cache", "0")) + GIB // 2
    said |= {"activation_bytes": activations, "context_bytes": GIB // 2}
    said["weights_bytes"] = gib(needed) - activations - GIB // 2
    return Demand(**said | _named(named, said))


def _named(named: dict[str, str], said: dict[str, Any]) -> dict[str, Any]:
    reads: dict[str, tuple[str, Callable[[str], Any]]] = {
        "key": ("engine_key", str),
        "type": ("gpu_type", lambda text: (*text.split("|"), *said["gpu_type"])),
        "cpu": ("cpu_milli", lambda text: int(Fraction(text) * 1000)),
        "ram": ("ram_bytes", gib),
        "mode": ("mode", Mode),
        "job": ("job", str),
        "gang": ("gang", int),
        "replicas": ("replicas", int),
        "shards": ("shards", int),
        "layers": ("pieces", lambda _: _pieces(named, said["weights_bytes"])),
    }
    return {
        field: read(named[name])
        for name, (field, read) in reads.items()
        if name in named
    }


def _pieces(named: dict[str, str], weights_bytes: int) -> Pieces:
    count = int(named["layers"])
    heads, _, kv = named.get("heads", "0").partition("/")
    return Pieces(
        layer_bytes=(weights_bytes // count,) * count,
        last_bytes=weights_bytes % count,
        cache_bytes=gib(named.get("cache", "0")),
        heads=int(heads),
        kv_heads=int(kv or heads),
        context_tokens=8192 if "cache" in named else 0,
    )


def outcome(answer: Plan | Diagnosis) -> str:
    if isinstance(answer, Plan):
        if not answer.placements:
            return " | ".join(f"on {host.node}" for host in answer.hosts)
        replicas = groupby(answer.placements, key=lambda placement: placement.replica)
        return " | ".join(" + ".join(map(_placed, shards)) for _, shards in replicas)
    refused = [f"{r.gpu.name} {r.reason}" for r in answer.refusals]
    return f"{'later' if answer.ever else 'never'}: {' | '.join(refused)}".strip()


def _placed(placement: Placement) -> str:
    layers = placement.layers
    stage = "" if layers is None else f"[{layers[0]}-{layers[1]}]"
    words = [placement.gpu.name + stage]
    if placement.warm:
        words.append("warm")
    return " ".join([*words, *(f"-{engine}" for engine in placement.evict)])
