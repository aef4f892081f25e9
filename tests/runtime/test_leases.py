"""Leases on a real Ray whose four GPUs are only numbers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import ray
from ray.util.placement_group import (
    placement_group,
    placement_group_table,
)

from orchestrator.errors import OrchError
from orchestrator.runtime import leases
from orchestrator.runtime.head import Head
from orchestrator.scheduling.snapshot import DeviceKind, Gpu, Uuid
from tests.runtime.conftest import HEAD_GPUS
from tests.runtime.ray_heads import connected

pytestmark = pytest.mark.ray

T = TypeVar("T")
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(head: Head, state: Path) -> Iterator[Call]:
    """Runs a function of this module in a driver."""
    with connected(head, state) as driver:
        yield caller(driver)


def caller(driver: ProcessPoolExecutor) -> Call:
    def call(function: Callable[..., T], *arguments: object) -> T:
        return driver.submit(function, *arguments).result(60)

    return call


@pytest.fixture(autouse=True)
def _everything_is_given_back(call: Call) -> Iterator[None]:
    yield
    call(give_all_back)
    call(wait_free, HEAD_GPUS)


def gpu_of(index: int, kind: DeviceKind = DeviceKind.CUDA) -> Gpu:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return Gpu(
        uuid=Uuid(f"GPU-{index}"),
        node_id=nodes[0]["NodeID"],
        node="local",
        index=index,
        model="a number",
        kind=kind,
        total_bytes=1,
        free_bytes=1,
        cores=1,
    )


# --- what runs in the driver ----------------------------------------------------------


def take(name: str, index: int) -> tuple[str, str]:
    """The lease's name, and the GPU that work in it really gets."""
    lease = leases.acquire(name, gpu_of(index))
    return lease.name, leases._probe(lease.group)


def take_all_at_once(names: dict[int, str]) -> dict[int, str]:
    with ThreadPoolExecutor(len(names)) as pool:
        taking = {i: pool.submit(take, name, i) for i, name in names.items()}
        return {i: future.result()[1] for i, future in taking.items()}


def take_cores(name: str) -> str:
    return leases.acquire(name, gpu_of(0, DeviceKind.CPU)).name


def refusal(name: str, index: int) -> tuple[str, str, float]:
    started = time.monotonic()
    try:
        leases.acquire(name, gpu_of(index))
    except OrchError as error:
        took = time.monotonic() - started
        return type(error).__name__, error.fault.message, took
    raise AssertionError("it was not refused")


def give_back(name: str) -> None:
    lease = leases.find(name)
    assert lease is not None
    leases.release(lease)


def is_known(name: str) -> bool:
    return leases.find(name) is not None


def held() -> list[str]:
    table = placement_group_table().values()
    return sorted(g["name"] for g in table if g["state"] != "REMOVED")


def give_all_back() -> None:
    rivals.clear()
    for name in held():
        give_back(name)


def free_gpus() -> float:
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    return free.get("GPU", 0)


def wait_free(gpus: int) -> None:
    """Until Ray has so many GPUs to give."""
    until = time.monotonic() + 20
    pause = threading.Event()
    while free_gpus() != gpus:
        assert time.monotonic() < until
        pause.wait(0.02)


class Rival:
    """Another program's actor on a GPU."""

    @ray.method
    def index(self) -> str:
        ids = ray.get_runtime_context().get_accelerator_ids()["GPU"]
        return str(ids[0])


rivals: list[Any] = []


def let_a_rival_take(index: int) -> None:
    wrong = []
    for _ in range(HEAD_GPUS):
        actor = ray.remote(num_gpus=1, num_cpus=0)(Rival).remote()
        if ray.get(actor.index.remote()) == str(index):
            rivals.append(actor)
            return
        wrong.append(actor)
    raise AssertionError(f"no rival got GPU {index}, {len(wrong)} others did")


def reserve_as_a_stranger(name: str) -> None:
    assert placement_group([{"GPU": 1}], name=name, lifetime="detached").wait(10)


def sweep_but(keep: list[str]) -> None:
    leases.sweep(frozenset(keep))


# --- the tests ------------------------------------------------------------------------


def test_each_gets_exactly_its_gpu_in_any_order(call: Call) -> None:
    for index in (3, 1, 0, 2):
        _, bound = call(take, f"orch:job-1:replica-{index}", index)
        assert bound == str(index)
    # The wrong ones that were reserved on the way have gone back.
    assert len(call(held)) == HEAD_GPUS


def test_searches_side_by_side_do_not_take_each_others_gpu(call: Call) -> None:
    # The one that comes first gets Ray's lowest number.
    names = {i: f"orch:job-2:replica-{i}" for i in (3, 2, 1, 0)}
    assert call(take_all_at_once, names) == {i: str(i) for i in range(4)}


def test_a_gpu_that_a_rival_holds_is_refused_and_nothing_is_held(call: Call) -> None:
    call(let_a_rival_take, 1)
    kind, message, took = call(refusal, "orch:job-3:replica-0", 1)
    assert kind == "LeaseRefusedError"
    assert message.startswith("Ray does not give local:1 now: ")
    assert took < 10
    assert call(held) == []
    call(wait_free, HEAD_GPUS - 1)
    # The others are to be had all the same, under the same name, at once.
    assert call(take, "orch:job-3:replica-0", 2)[1] == "2"


def test_a_gpu_given_back_can_be_had_again(call: Call) -> None:
    name, _ = call(take, "orch:job-4:replica-0", 0)
    assert call(is_known, name)
    call(give_back, name)
    assert not call(is_known, name)
    again, bound = call(take, "orch:job-4:replica-0", 0)
    assert (again, bound) == (name, "0")


def test_the_same_name_twice_is_a_refusal(call: Call) -> None:
    call(take, "orch:job-5:replica-0", 0)
    kind, message, _ = call(refusal, "orch:job-5:replica-0", 1)
    assert kind == "LeaseRefusedError"
    assert "already exists" in message


def test_sweep_removes_ours_that_nobody_knows(call: Call) -> None:
    kept, _ = call(take, "orch:job-6:replica-0", 0)
    call(take, "orch:job-7:replica-0", 1)
    call(reserve_as_a_stranger, "job-8")
    call(sweep_but, [kept])
    assert call(held) == ["job-8", kept]


def test_the_lease_of_a_cpu_device_is_its_cores(call: Call) -> None:
    name = call(take_cores, "orch:job-9:replica-0")
    assert name == "orch:job-9:replica-0"
    call(wait_free, HEAD_GPUS)
    assert call(held) == [name]
    call(give_back, name)
    assert not call(is_known, name)


def test_a_name_that_nobody_has_finds_nothing(call: Call) -> None:
    assert not call(is_known, "orch:job-404:replica-0:0")
