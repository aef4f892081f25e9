"""Placement on lists of pods that are derived from a trace, and the time of one plan.

    python -m benchmarks.placement TRACE_DIR --seeds 42..46

The lists have another share of CPU-only, GPU-sharing, multi-GPU or type-bound pods than
the trace's own, in the manner of the FGD experiment; `orch simulate` takes its own.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.scheduling.plan import Demand
from orchestrator.scheduling.policy import Scoring
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Snapshot, Uuid
from orchestrator.simulator.experiment import Result, experiment
from orchestrator.simulator.trace import WHOLE, Trace, read_trace
from orchestrator.units import GIB

Pods = Sequence[Demand]
POLICIES = (Scoring.BEST_FIT, Scoring.FGD, Scoring.PACKED_FGD)


def milli(pods: Pods) -> int:
    """What pods ask of GPUs together."""
    return sum(pod.gang * pod.reserve_bytes for pod in pods)


def drawn(pods: Pods, amount: float, chance: random.Random) -> list[Demand]:
    """Random ones of these until they ask for so much."""
    found: list[Demand] = []
    asked = 0
    while asked < amount:
        pod = chance.choice(pods)
        found.append(pod)
        asked += milli([pod])
    return found


def with_cpu(trace: Trace, percent: int, chance: random.Random) -> Pods:
    """So many CPU-only pods, in percent of those there are."""
    none = [pod for pod in trace.pods if pod.gang == 0]
    some = [pod for pod in trace.pods if pod.gang]
    return some + [chance.choice(none) for _ in range(len(none) * percent // 100)]


def with_part(
    trace: Trace, percent: int, chance: random.Random, of: Callable[[Demand], bool]
) -> Pods:
    """Pods of one sort ask for so many percent of all GPU demand."""
    none = [pod for pod in trace.pods if pod.gang == 0]
    some = [pod for pod in trace.pods if pod.gang and of(pod)]
    rest = [pod for pod in trace.pods if pod.gang and not of(pod)]
    whole = milli(trace.pods) / 100
    others = drawn(rest, whole * (100 - percent), chance) if percent < 100 else []
    return none + drawn(some, whole * percent, chance) + others


def with_types(trace: Trace, percent: int, chance: random.Random) -> Pods:
    """So many percent of the pods with GPUs name one or two models they can use."""
    models: dict[str, int] = {}
    for machine in trace.machines:
        models[machine.model] = models.get(machine.model, 0) + machine.gpus
    names, weights = list(models), list(models.values())

    def bound(pod: Demand) -> Demand:
        if not pod.gang or chance.random() * 100 >= percent:
            return pod
        count = 1 if chance.random() < 0.6 else 2
        picked = sorted(set(chance.choices(names, weights, k=count)))
        return replace(pod, gpu_type=tuple(picked))

    return [bound(pod) for pod in trace.pods]


def lists(trace: Trace) -> dict[str, Pods]:
    """The derived lists by name; the same each time."""
    chance = random.Random(1)
    found: dict[str, Pods] = {}
    for percent in (50, 200, 250):
        found[f"CPU-only pods {percent} %"] = with_cpu(trace, percent, chance)
    for percent in (40, 60, 100):
        shared = with_part(trace, percent, chance, lambda pod: pod.share)
        found[f"GPU sharing {percent} %"] = shared
    for percent in (20, 30, 50):
        several = with_part(trace, percent, chance, lambda pod: pod.gang > 1)
        found[f"several GPUs {percent} %"] = several
    for percent in (10, 20, 33):
        found[f"GPU type {percent} %"] = with_types(trace, percent, chance)
    return found


def one_plan_ms(gpus: int, *, share: bool) -> float:
    """Processor time of `schedule` on a snapshot of so many GPUs, in nodes of eight."""
    half = 40 * GIB
    snapshot = Snapshot(
        tuple(
            Gpu(
                uuid=Uuid(f"{number}"),
                node_id=f"n{number // 8}",
                node=f"n{number // 8}",
                index=number % 8,
                model="H100",
                kind=DeviceKind.CUDA,
                total_bytes=2 * half,
                free_bytes=half + number * GIB % half,
            )
            for number in range(gpus)
        )
    )
    demand = Demand("K", 6 * GIB, 0, 0, maximum=1, share=share)
    times = []
    for _ in range(5):
        began = time.process_time()
        schedule(demand, snapshot)
        times.append(1000 * (time.process_time() - began))
    return sorted(times)[2]


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.placement")
    parser.add_argument("trace_dir", type=Path)
    parser.add_argument("--seeds", default="42..46")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("..")
    seeds = range(int(first), int(last or first) + 1)
    trace = read_trace(arguments.trace_dir)
    print(f"| pods | {' | '.join(POLICIES)} |\n|---|" + "---:|" * len(POLICIES))
    for name, pods in lists(trace).items():
        derived = replace(trace, pods=tuple(pods))
        cells = []
        for scoring in POLICIES:
            runs = tuple(experiment(derived, scoring, seed) for seed in seeds)
            mean, spread = Result(scoring, runs).unallocated(100)
            cells.append(f"{mean:.2f} ± {spread:.2f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print("\n| GPUs | a GPU whole | a share |\n|---:|---:|---:|")
    for gpus in (WHOLE + 200, 5 * WHOLE, 10 * WHOLE):
        whole, share = one_plan_ms(gpus, share=False), one_plan_ms(gpus, share=True)
        print(f"| {gpus:,} | {whole:.1f} ms | {share:.1f} ms |")


if __name__ == "__main__":
    main()
