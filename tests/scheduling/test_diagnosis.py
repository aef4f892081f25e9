from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.errors import EXIT_NEVER, Code, Fault
from orchestrator.scheduling.diagnosis import diagnosis_fault
from orchestrator.scheduling.plan import Diagnosis
from orchestrator.scheduling.policy import DEFAULT
from orchestrator.scheduling.schedule import schedule
from orchestrator.units import GIB
from tests.scheduling.described import demand_from, snapshot_of

DETAILS = [
    ("a: 24", "6 -a:0", "excluded by the job"),
    ("a: 24 sick", "6", "unhealthy: fell off the bus"),
    (
        "a: 10",
        "20",
        "too small: 9.7 of 10.0 GiB usable, 20.0 needed, short by 10.3 GiB",
    ),
    (
        "a: 24/3.5 job=20.5",
        "13.4",
        "2.8 of 24.0 GiB available, 13.4 needed, short by 10.6 GiB; "
        "held by job 42 replica 0 (20.5 GiB)",
    ),
    (
        "a: 24/2.6 job=20.5 pid=0.9",
        "13.4",
        "1.9 of 24.0 GiB available, 13.4 needed, short by 11.5 GiB; held by "
        "job 42 replica 0 (20.5 GiB) and pid 5121 (python of ann, 0.9 GiB)",
    ),
    (
        "a: 24/20 job=4",
        "6",
        "19.3 of 24.0 GiB available, 6.0 needed; held by job 42 replica 0 (4.0 GiB)",
    ),
    (
        "a: 24/4 pid=12 pid=8",
        "6",
        "3.3 of 24.0 GiB available, 6.0 needed, short by 2.7 GiB; held by pid 5121 "
        "(python of ann, 12.0 GiB) and pid 5122 (python of ann, 8.0 GiB)",
    ),
    (
        "a: 24/4",
        "6",
        "3.3 of 24.0 GiB available, 6.0 needed, short by 2.7 GiB; "
        "held by unknown processes (20.0 GiB)",
    ),
    (
        "a: 10/6.3-",
        "6",
        "6.0 of 10.0 GiB available, 6.0 needed, short by 1 MiB; "
        "held by unknown processes (3.7 GiB)",
    ),
    (
        "a: 8/0 idle.L=2 pid=6",
        "6",
        "1.8 of 8.0 GiB available, 6.0 needed, short by 4.2 GiB; "
        "held by pid 5121 (python of ann, 6.0 GiB)",
    ),
    (
        "a: 24/0.1 pid=23.9",
        "6",
        "0.0 of 24.0 GiB available, 6.0 needed, short by 6.0 GiB; "
        "held by pid 5121 (python of ann, 23.9 GiB)",
    ),
]


@pytest.mark.parametrize(("cluster", "demand", "detail"), DETAILS)
def test_a_refusal_says_what_is_there_needed_missing_and_who_holds_it(
    cluster: str, demand: str, detail: str
) -> None:
    (refusal,) = _diagnosis(cluster, demand).refusals
    assert refusal.detail == detail


SUMMARIES = [
    ("", "6", "the cluster has no GPU and no CPU device"),
    (
        "a: 24 job=6 | 24/3",
        "6",
        "it needs 1 GPU with 6.0 GiB, 0 of 2 can take it now (1 busy, 1 foreign use)",
    ),
    (
        "a: 24 | 24 sick",
        "6 2",
        "it needs 2 GPUs with 6.0 GiB each, 1 of 2 can take it now (1 unhealthy)",
    ),
    (
        "a: 24 | 24 | 4",
        "6 4",
        "it needs 4 GPUs with 6.0 GiB each, 2 of 3 could ever take it (1 too small)",
    ),
    (
        "a: cpu 4",
        "6",
        "it needs 1 CPU device with 6.0 GiB, 0 of 1 could ever take it (1 too small)",
    ),
    (
        "a: 24 | 24 job=6",
        "6 gang=2",
        "it needs 2 GPUs of one node with 6.0 GiB each, 0 of 2 can take it now "
        "(1 busy, 1 node busy)",
    ),
    (
        "a: 24 | 24 | 24",
        "6 2 gang=2",
        "it needs 2 times 2 GPUs of one node with 6.0 GiB each, "
        "1 of 2 could ever take it (1 node too small)",
    ),
    (
        "a(4c 8g): 24",
        "1 gang=0 cpu=6 ram=4",
        "it needs 6.0 cores and 4.0 GiB of RAM on one node, and none has that",
    ),
    ("a: 24", "6 2", "it needs 2 GPUs with 6.0 GiB each, 1 of 1 could ever take it"),
]


@pytest.mark.parametrize(("cluster", "demand", "summary"), SUMMARIES)
def test_a_diagnosis_counts_its_reasons(
    cluster: str, demand: str, summary: str
) -> None:
    assert _diagnosis(cluster, demand).summary == summary


def test_what_can_never_run_is_a_fault_with_every_gpu_in_it() -> None:
    fault = diagnosis_fault(_diagnosis("a: 8 | 24 ; bb: 24/4 pid=20", "20.5 4 -a:1"))
    assert fault == Fault(
        Code.NOT_ENOUGH_GPU_MEMORY,
        "the job can never run on this cluster: it needs 4 GPUs with 20.5 GiB each, "
        "1 of 3 could ever take it (1 excluded, 1 too small, 1 foreign use)",
        facts=(
            "each replica needs 20.5 GiB: weights 19.5 + activations 0.5 "
            "+ context 0.5 (estimated)",
            "a:0   too small: 7.8 of 8.0 GiB usable, 20.5 needed, short by 12.7 GiB",
            "a:1   excluded by the job",
            "bb:0  3.3 of 24.0 GiB available, 20.5 needed, short by 17.2 GiB; "
            "held by pid 5121 (python of ann, 20.0 GiB)",
        ),
        fix="set resources.gpus: 1; or take GPUs out of resources.exclude; or choose "
        "a smaller model or dtype; or set resources.gpu_memory if you know that it "
        "takes less; or add a node with GPUs of 21.2 GiB or more",
    )
    assert fault.exit_code == EXIT_NEVER


def test_what_must_wait_says_so() -> None:
    fault = diagnosis_fault(_diagnosis("a: 24/4 pid=20", "20"))
    assert fault.message.startswith("the job cannot start now: it needs 1 GPU")
    assert fault.fix == (
        "wait: it starts by itself once enough GPUs have room; "
        "or end the programs named above"
    )


@pytest.mark.parametrize("needed", [1, 97, GIB, 20 * GIB + 1, 33 * GIB, 200 * GIB])
def test_the_gpu_that_the_fix_asks_for_does_suffice_and_none_smaller(
    needed: int,
) -> None:
    total = DEFAULT.smallest_gpu_bytes(needed)
    fits, just_not = (_room_of(size) for size in (total, total - 1))
    assert fits >= needed
    assert just_not <= needed


def _room_of(total: int) -> int:
    (gpu,) = snapshot_of("a: 24").gpus
    return total - DEFAULT.headroom_bytes(replace(gpu, total_bytes=total))


def _diagnosis(cluster: str, demand: str) -> Diagnosis:
    answer = schedule(demand_from(demand), snapshot_of(cluster))
    assert isinstance(answer, Diagnosis)
    return answer
