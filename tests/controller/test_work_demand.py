"""What a job's replicas ask of the GPUs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.known import Known, Profile, Seen
from orchestrator.estimate.measured import Peak
from orchestrator.estimate.model import Shape
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.snapshot import DeviceKind, Snapshot
from orchestrator.units import GIB, MIB
from tests.controller.plant import MINILM, model_folder
from tests.controller.works import CPUS, GPUS, minilm, planned, work_for
from tests.scheduling.described import snapshot_of


def test_minilm_fits_on_every_gpu_in_float16(tmp_path: Path) -> None:
    work = minilm(tmp_path)
    work.check()
    plan = planned(work, GPUS)
    assert [p.gpu.name for p in plan.placements] == ["local:0", "local:1"]
    demand = plan.demand
    assert 40 * MIB < demand.weights_bytes < 60 * MIB, "22.7 million numbers of 2 bytes"
    assert demand.context_bytes > 0
    assert demand.activation_bytes > 0
    assert demand.reserve_bytes < 24 * GIB
    assert not demand.measured
    assert not demand.whole


def test_minilm_fits_on_every_cpu_device_in_float32(tmp_path: Path) -> None:
    plan = planned(minilm(tmp_path), CPUS)
    assert len(plan.placements) == 2
    assert 80 * MIB < plan.demand.weights_bytes < 120 * MIB
    (gpu,) = {p.gpu.kind for p in plan.placements}
    assert gpu is DeviceKind.CPU


def test_the_user_knows_better_how_much_it_takes(tmp_path: Path) -> None:
    work = minilm(tmp_path, resources={"gpu_memory": "3GiB"})
    assert planned(work, GPUS).demand.reserve_bytes == 3 * GIB


def seen(
    shape: Shape | None, amount: int, model: str = "", *, lacked: bool = False
) -> Known:
    assert shape is not None
    return Known((Seen(Peak(shape, amount, model), lacked=lacked),))


def test_what_the_same_batch_took_is_what_is_set_aside(tmp_path: Path) -> None:
    work = minilm(tmp_path)
    (model,) = {gpu.model for gpu in GPUS.gpus}
    first = planned(work, GPUS).demand
    assert first.shape == Shape(batch=1, length=131_072, packed=True)
    for amount in (first.reserve_bytes + GIB, first.reserve_bytes - 64 * MIB):
        demand = planned(work, GPUS, seen(first.shape, amount, model)).demand
        assert (demand.reserve_bytes, demand.measured) == (amount, True)
    elsewhere = planned(work, GPUS, seen(first.shape, 1, "another GPU")).demand
    assert (elsewhere.reserve_bytes, elsewhere.measured) == (
        first.reserve_bytes,
        False,
    )


@pytest.mark.parametrize(
    ("dtype", "compute", "packed"),
    [
        *(("auto", 0, True), ("auto", 80, True), ("bfloat16", 90, True)),
        *(("auto", 75, False), ("float32", 90, False)),
    ],
)
def test_rows_are_packed_where_the_engine_packs_them(
    tmp_path: Path, dtype: str, compute: int, packed: bool
) -> None:
    gpus = tuple(replace(gpu, compute=compute) for gpu in GPUS.gpus)
    work = minilm(tmp_path, model={"id": MINILM, "dtype": dtype})
    shape = planned(work, Snapshot(gpus)).demand.shape
    assert shape == (
        Shape(1, 131_072, packed=True) if packed else Shape(batch=256, length=512)
    )


def test_what_was_not_enough_is_never_set_aside_again(tmp_path: Path) -> None:
    lack = seen(Shape(batch=8), 9 * GIB, lacked=True)
    for resources in ({}, {"gpu_memory": "4GiB"}):
        work = minilm(tmp_path, resources=resources)
        demand = planned(work, GPUS, lack).demand
        assert (demand.reserve_bytes, demand.measured) == (9 * GIB, True)
    whole = planned(work_for(tmp_path, resources={}), GPUS, lack).demand
    assert (whole.reserve_bytes, whole.whole) == (9 * GIB, True)


def test_the_parts_of_a_demand_add_up_and_travel(tmp_path: Path) -> None:
    plan = planned(minilm(tmp_path), GPUS)
    parts = dict(plan.demand.parts)
    assert sum(parts.values()) == plan.demand.reserve_bytes
    assert parts["weights"] == plan.demand.weights_bytes
    assert parts["workspace"] > 0
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_batch_is_halved_until_it_fits_the_smallest_gpu(tmp_path: Path) -> None:
    shapes = []
    for cluster in ("local: 24", "local: 24 | 2", "local: 24 | 1"):
        plan = planned(minilm(tmp_path), snapshot_of(cluster))
        assert len(plan.placements) == len(snapshot_of(cluster).gpus)
        shapes.append(plan.demand.shape)
    tokens = [shape.tokens for shape in shapes if shape]
    assert tokens[0] == 131_072
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[2] in [131_072 >> n for n in range(1, 9)]


def test_an_unknown_family_asks_for_gpu_memory(tmp_path: Path) -> None:
    config = model_folder(tmp_path) / "config.json"
    changed = {**json.loads(config.read_text()), "model_type": "perceiver"}
    config.write_text(json.dumps(changed))
    with pytest.raises(OrchError, match="'perceiver' is not known") as caught:
        planned(minilm(tmp_path, model={"id": "./model"}), GPUS)
    assert caught.value.fault.code is Code.BAD_VALUE
    assert "resources.gpu_memory" in caught.value.fault.fix
    told = {"model": {"id": "./model"}, "resources": {"gpu_memory": "3GiB"}}
    assert planned(minilm(tmp_path, **told), GPUS).demand.reserve_bytes == 3 * GIB


PROFILE = Profile(GIB, ((8, 8 * MIB), (16, 16 * MIB)))


def test_a_module_that_was_measured_takes_no_gpu_whole(tmp_path: Path) -> None:
    work = work_for(tmp_path, resources={})
    demand = planned(work, GPUS, Known(profile=PROFILE)).demand
    assert not demand.whole
    assert demand.shape == Shape(batch=8192)
    assert GIB + 8 * GIB < demand.reserve_bytes < 12 * GIB
    peak = Peak(Shape(batch=64), 2 * GIB, GPUS.gpus[0].model)
    settled = Known((Seen(peak, settled=True),), PROFILE)
    demand = planned(work, GPUS, settled).demand
    assert (demand.shape, demand.reserve_bytes) == (Shape(batch=64), 2 * GIB)
    assert demand.measured
    assert planned(work, GPUS).demand.whole


def test_a_module_of_ones_own_takes_a_gpu_whole(tmp_path: Path) -> None:
    plan = planned(work_for(tmp_path, resources={}), GPUS)
    assert plan.demand.whole
    assert plan.placements[0].reserve_bytes > 20 * GIB
