from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.render.simulation import simulation_json, simulation_table
from orchestrator.scheduling.policy import Scoring
from orchestrator.simulator.experiment import Result, Run, experiment, scaled
from orchestrator.simulator.trace import Trace, read_trace
from tests.simulator.traces import write


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return read_trace(write(tmp_path))


@pytest.mark.parametrize("scoring", Scoring)
def test_the_same_seed_gives_the_same_run(trace: Trace, scoring: Scoring) -> None:
    first, second = (experiment(trace, scoring, 42) for _ in range(2))
    assert first.unallocated == second.unallocated
    assert first.decisions == second.decisions


def test_what_was_asked_for_is_never_more_than_130_percent(trace: Trace) -> None:
    for seed in range(5):
        run = experiment(trace, Scoring.BEST_FIT, seed)
        # 6 GPUs; a pod that would ask for more than 7.8 of them ends the list.
        assert run.decisions >= 4
        assert all(0 <= left <= 100 for left in run.unallocated.values())


def test_whole_gpus_alone_leave_nothing_with_any_policy(trace: Trace) -> None:
    whole = replace(trace.pods[1], cpu_milli=0, ram_bytes=0)
    alone = Trace(trace.machines, (whole,))
    for scoring in Scoring:
        run = experiment(alone, scoring, 1)
        assert run.unallocated == {100: 0.0, 130: 0.0}
        assert run.decisions == 7


def test_what_asks_for_no_gpu_allocates_none(trace: Trace) -> None:
    run = experiment(Trace(trace.machines, trace.pods[3:]), Scoring.BEST_FIT, 1)
    assert run.decisions == 1


@pytest.mark.parametrize("nodes", [1, 2, 5])
def test_a_cluster_can_be_made_larger_and_smaller(trace: Trace, nodes: int) -> None:
    larger = scaled(trace, nodes)
    assert len(larger.machines) == nodes
    assert experiment(larger, Scoring.PACKED_FGD, 1).decisions > 0


def test_results_are_shown_with_mean_and_deviation() -> None:
    runs = (
        Run(42, {100: 4.0, 130: 3.0}, 10, 0.001),
        Run(43, {100: 6.0, 130: 3.0}, 10, 0),
    )
    result = Result("fgd", runs)
    assert [line.split() for line in simulation_table([result])[1:]] == [
        ["fgd", "2", "5.00", "%", "±", "1.41", "3.00", "%", "±", "0.00", "0.050"]
    ]
    (data,) = simulation_json([result])
    assert data["unallocated_percent"]["130"] == {"mean": 3.0, "sd": 0.0}
    assert [seed["seed"] for seed in data["seeds"]] == [42, 43]
