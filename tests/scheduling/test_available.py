"""No GPU is ever promised more than it has, whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.scheduling.available import (
    available,
    available_if_evicted,
    smallest_room,
)
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.recheck import recheck
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import (
    DeviceKind,
    Gpu,
    Reservation,
    Snapshot,
    Uuid,
)
from orchestrator.units import GIB
from tests.scheduling.described import demand_from, snapshot_of

TOTAL = 24
SMALL = 6
"""Units of the GPU in the state machine: few, so that amounts collide often."""
AMOUNT = st.integers(1, SMALL)
PICK = st.integers(0, 3)


def gpu_with(free: int, index: int = 0, total: int = TOTAL) -> Gpu:
    uuid = Uuid(f"uuid-{index}")
    return Gpu(uuid, "id-a", "a", index, "GPU", DeviceKind.CUDA, total, free)


def promise(
    name: str, reserved: int, used: int, *, index: int = 0, idle: bool = False
) -> Reservation:
    uuid = Uuid(f"uuid-{index}")
    return Reservation(uuid, name, reserved, used, name, "L", idle)


def test_only_promises_that_do_not_show_yet_are_subtracted() -> None:
    reservations = (promise("a", 6, 2), promise("b", 4, 5))
    assert available(gpu_with(free=17), reservations, 1) == 17 - (6 - 2) - 0 - 1


def test_idle_engines_count_as_reclaimable() -> None:
    reservations = (promise("a", 6, 2), promise("b", 4, 3, idle=True))
    gpu = gpu_with(free=19)
    assert available(gpu, reservations, 0) == 14
    assert available_if_evicted(gpu, reservations, 0) == 18


def test_no_report_makes_a_gpu_larger_than_it_is() -> None:
    gone_already = (promise("a", 10, 10, idle=True),)
    assert available_if_evicted(gpu_with(free=TOTAL), gone_already, 0) == TOTAL


def naive(gpu: Gpu, reservations: tuple[Reservation, ...]) -> int:
    """The formula that looks right: it forgets that others hold memory too."""
    promised = sum(r.reserved_bytes for r in reservations)
    return min(gpu.free_bytes, gpu.total_bytes - promised)


def test_the_formula_that_looks_right_promises_the_same_byte_twice() -> None:
    """2 units, 1 of them somebody else's: it grants 1, and then 1 again."""
    gpu = gpu_with(free=1, total=2)
    first = promise("first", 1, 0)
    assert naive(gpu, ()) == 1
    assert naive(gpu, (first,)) == 1
    assert available(gpu, (), 0) == 1
    assert available(gpu, (first,), 0) == 0


@dataclass
class Engine:
    """A process on the GPU as physics has it, and its reservation beside it."""

    reserved: int
    used: int = 0
    exited: bool = False


class Ledger(RuleBasedStateMachine):
    """One GPU, many engines that share it, and programs that are not ours.

    The invariant is physical: if every engine now takes all that it was promised, the
    GPU holds it. Others can break a promise (`grab`); then nothing more is promised.
    """

    def __init__(self) -> None:
        super().__init__()
        self.engines: dict[int, Engine] = {}
        self.foreign = 0
        self.betrayed = False
        self.count = 0

    @property
    def free(self) -> int:
        return SMALL - self.foreign - sum(e.used for e in self.engines.values())

    @property
    def unseen(self) -> int:
        alive = (e for e in self.engines.values() if not e.exited)
        return sum(max(0, e.reserved - e.used) for e in alive)

    def can_promise(self) -> int:
        reservations = tuple(
            promise(str(name), engine.reserved, engine.used)
            for name, engine in self.engines.items()
        )
        return available(gpu_with(self.free, total=SMALL), reservations, 0)

    def engine(self, pick: int) -> Engine:
        living = [e for e in self.engines.values() if not e.exited]
        return living[pick % len(living)] if living else Engine(0, exited=True)

    @rule(amount=AMOUNT)
    def reserve(self, amount: int) -> None:
        if amount <= self.can_promise():
            self.count += 1
            self.engines[self.count] = Engine(amount)
            assert self.unseen <= self.free, "promised more than the GPU had"

    @rule(pick=PICK, amount=AMOUNT)
    def load(self, pick: int, amount: int) -> None:
        engine = self.engine(pick)
        if not engine.exited:
            wanted = min(amount, max(0, engine.reserved - engine.used))
            if not self.betrayed:
                assert wanted <= self.free, "an engine did not get what it was promised"
            engine.used += min(wanted, self.free)

    @rule(pick=PICK, amount=AMOUNT)
    def grow_beyond(self, pick: int, amount: int) -> None:
        spare = max(0, self.free - self.unseen)
        engine = self.engine(pick)
        if not engine.exited and engine.used >= engine.reserved:
            engine.used += min(amount, spare)

    @rule(amount=AMOUNT)
    def foreign_takes_the_unpromised(self, amount: int) -> None:
        self.foreign += min(amount, max(0, self.free - self.unseen))

    @rule(amount=AMOUNT)
    def foreign_grabs(self, amount: int) -> None:
        self.foreign += min(amount, self.free)
        self.betrayed = self.betrayed or self.unseen > self.free

    @rule(amount=AMOUNT)
    def foreign_leaves(self, amount: int) -> None:
        self.foreign -= min(amount, self.foreign)

    @rule(pick=PICK)
    def exit(self, pick: int) -> None:
        self.engine(pick).exited = True

    @rule()
    def release_what_is_seen_free(self) -> None:
        self.engines = {n: e for n, e in self.engines.items() if not e.exited}
        self.betrayed = self.unseen > self.free

    @invariant()
    def every_promise_can_be_kept(self) -> None:
        assert self.free >= 0
        assert self.betrayed or self.unseen <= self.free


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    """GPUs with random engines on them, every one within its promise or beyond it."""
    gpus, reservations = [], []
    for index in range(draw(st.integers(1, 3))):
        free = total = draw(st.integers(4, 16)) * GIB
        for number in range(draw(st.integers(0, 3))):
            used = draw(st.integers(0, free // GIB)) * GIB
            name = f"e{index}.{number}"
            held = promise(
                name,
                reserved=draw(st.integers(0, total // GIB)) * GIB,
                used=used,
                index=index,
                idle=draw(st.sampled_from([True, True, True, False])),
            )
            key = draw(st.sampled_from(["K", "L"]))
            reservations.append(replace(held, engine_key=key))
            free -= used
        free -= draw(st.integers(0, free // GIB)) * GIB
        gpus.append(gpu_with(free, index, total))
    return Snapshot(tuple(gpus), tuple(reservations))


@given(clusters(), st.integers(1, 12), st.booleans(), st.sampled_from([True, False]))
@settings(max_examples=300, deadline=None)
def test_a_plan_never_promises_more_than_will_be_free(
    snapshot: Snapshot, needed: int, whole: bool, evict_all: bool
) -> None:
    demand = demand_from(f"{needed} whole" if whole else str(needed))
    policy = Policy(evict_all_idle=evict_all)
    plan = schedule(demand, snapshot, policy)
    if isinstance(plan, Plan):
        assert recheck(plan, snapshot) is None
        for placement in plan.placements:
            on = snapshot.on(placement.gpu.uuid)
            leaving = {placement.warm, *placement.evict}
            back = sum(r.used_bytes for r in on if r.engine in leaving)
            unseen = sum(
                max(0, r.reserved_bytes - r.used_bytes)
                for r in on
                if r.engine not in leaving
            )
            free = placement.gpu.free_bytes + back
            headroom = policy.headroom_bytes(placement.gpu)
            assert placement.reserve_bytes >= demand.reserve_bytes
            assert placement.reserve_bytes + unseen + headroom <= free
            assert all(r.idle for r in on)


@given(clusters(), st.integers(1, 12))
def test_the_same_question_has_the_same_answer(snapshot: Snapshot, needed: int) -> None:
    demand = demand_from(str(needed))
    shuffled = Snapshot(snapshot.gpus[::-1], snapshot.reservations)
    assert schedule(demand, snapshot) == schedule(demand, shuffled)


def test_the_smallest_room_leaves_out_what_cannot_be_used() -> None:
    snapshot = snapshot_of("a: 10 | 80 | 4 sick | 6 ; b: cpu 2")
    assert smallest_room(snapshot, exclude=["a:3"]) == 10 * GIB - 10 * GIB * 3 // 100
    assert smallest_room(snapshot_of("a: cpu 2 | cpu 3")) == 2 * GIB
    assert smallest_room(snapshot_of("a: 10 sick")) is None
