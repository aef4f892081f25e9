"""Whatever happens in whatever order, no GPU is promised more than it had."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.scheduling.layout import Pieces
from orchestrator.scheduling.plan import Demand, Plan
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.recheck import recheck
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import (
    DeviceKind,
    Gpu,
    Node,
    Reservation,
    Snapshot,
    Uuid,
)

SIZES = (12, 12, 5)
"""Three GPUs in units of memory: few, so that amounts collide often."""
PLAIN = Policy(headroom_percent=0)
AMOUNT = st.integers(1, 14)
PICK = st.integers(0, 7)


@dataclass
class Engine:
    """A process as physics has it."""

    gpu: int
    job: str
    reserved: int
    shared: bool
    used: int = 0
    exited: bool = False
    idle: bool = False

    @property
    def unseen(self) -> int:
        return max(0, self.reserved - self.used)


class Cluster(RuleBasedStateMachine):
    """Jobs of every shape on three GPUs, beside programs that are not ours."""

    def __init__(self) -> None:
        super().__init__()
        self.engines: list[Engine] = []
        self.foreign = [0, 0, 0]
        self.betrayed = [False, False, False]
        self.count = 0

    def on(self, gpu: int) -> list[Engine]:
        return [engine for engine in self.engines if engine.gpu == gpu]

    def free(self, gpu: int) -> int:
        return SIZES[gpu] - self.foreign[gpu] - sum(e.used for e in self.on(gpu))

    def unseen(self, gpu: int) -> int:
        return sum(e.unseen for e in self.on(gpu) if not e.exited)

    def snapshot(self) -> Snapshot:
        kind = DeviceKind.CUDA
        gpus = tuple(
            Gpu(Uuid(str(i)), "a", "a", i, f"{size}", kind, size, self.free(i))
            for i, size in enumerate(SIZES)
        )
        promises = tuple(
            Reservation(
                gpu=Uuid(str(engine.gpu)),
                holder=engine.job,
                reserved_bytes=engine.reserved,
                used_bytes=engine.used,
                engine=str(number),
                engine_key="K",
                idle=engine.idle,
                shared=engine.shared,
                job=engine.job,
            )
            for number, engine in enumerate(self.engines)
        )
        return Snapshot(gpus, promises, nodes=(Node("a", "a", 4000, 1),))

    @rule(
        needed=AMOUNT,
        most=st.sampled_from([1, 2, None]),
        share=st.booleans(),
        layers=st.sampled_from([0, 4]),
        gang=st.sampled_from([1, 1, 1, 2]),
        again=st.booleans(),
    )
    def submit(
        self,
        needed: int,
        most: int | None,
        share: bool,
        layers: int,
        gang: int,
        again: bool,
    ) -> None:
        self.count += 0 if again else 1
        pieces = Pieces((needed,) * layers, heads=4, kv_heads=4) if layers else None
        demand = Demand(
            engine_key=f"K{self.count}",
            weights_bytes=needed * max(1, layers),
            activation_bytes=0,
            context_bytes=0,
            maximum=most,
            gang=1 if pieces else gang,
            share=share,
            job=str(self.count),
            pieces=pieces,
        )
        snapshot = self.snapshot()
        plan = schedule(demand, snapshot, PLAIN)
        if not isinstance(plan, Plan):
            return
        assert recheck(plan, snapshot) is None
        gone = {name for placement in plan.placements for name in placement.evict}
        kept = [e for n, e in enumerate(self.engines) if str(n) not in gone]
        self.engines = kept
        for placement in plan.placements:
            assert not placement.warm
            gpu, reserve = placement.gpu.index, placement.reserve_bytes
            self.engines.append(Engine(gpu, demand.job, reserve, share))

    def engine(self, pick: int) -> Engine:
        living = [e for e in self.engines if not (e.exited or e.idle)]
        return living[pick % len(living)] if living else Engine(0, "", 0, False)

    @rule(pick=PICK, amount=AMOUNT)
    def load(self, pick: int, amount: int) -> None:
        engine = self.engine(pick)
        wanted = min(amount, engine.unseen)
        if not self.betrayed[engine.gpu]:
            assert wanted <= self.free(engine.gpu), "a promise was not kept"
        engine.used += min(wanted, self.free(engine.gpu))

    @rule(pick=PICK, amount=AMOUNT)
    def grow_beyond(self, pick: int, amount: int) -> None:
        engine = self.engine(pick)
        spare = self.free(engine.gpu) - self.unseen(engine.gpu)
        if engine in self.engines and engine.used >= engine.reserved:
            engine.used += min(amount, max(0, spare))

    @rule(gpu=st.integers(0, 2), amount=AMOUNT)
    def foreign_grabs(self, gpu: int, amount: int) -> None:
        self.foreign[gpu] += min(amount, self.free(gpu))
        short = self.unseen(gpu) > self.free(gpu)
        self.betrayed[gpu] = self.betrayed[gpu] or short

    @rule(gpu=st.integers(0, 2), amount=AMOUNT)
    def foreign_leaves(self, gpu: int, amount: int) -> None:
        self.foreign[gpu] -= min(amount, self.foreign[gpu])

    @rule(pick=PICK)
    def ends_and_is_kept_warm(self, pick: int) -> None:
        engine = self.engine(pick)
        if engine in self.engines:
            engine.idle, engine.job = True, ""

    @rule(pick=PICK)
    def exit(self, pick: int) -> None:
        self.engine(pick).exited = True

    @rule()
    def release_what_is_seen_free(self) -> None:
        self.engines = [e for e in self.engines if not e.exited]
        for gpu in range(3):
            self.betrayed[gpu] = self.unseen(gpu) > self.free(gpu)

    @invariant()
    def every_promise_can_be_kept(self) -> None:
        for gpu in range(3):
            assert self.free(gpu) >= 0
            assert self.betrayed[gpu] or self.unseen(gpu) <= self.free(gpu)

    @invariant()
    def exclusive_and_shared_never_mix(self) -> None:
        for gpu in range(3):
            busy = [e for e in self.on(gpu) if not e.idle]
            assert len(busy) <= 1 or all(e.shared for e in busy)

    @invariant()
    def no_gpu_has_two_replicas_of_a_job(self) -> None:
        for gpu in range(3):
            jobs = [e.job for e in self.on(gpu) if not e.idle]
            assert len(jobs) == len(set(jobs))


TestCluster = Cluster.TestCase
TestCluster.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
