from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.requests import Request
from orchestrator.controller.snapshots import Snapshots
from orchestrator.errors import Code, OrchError
from orchestrator.estimate.known import Known, Profile, Seen
from orchestrator.estimate.measured import Peak
from orchestrator.estimate.model import Shape
from orchestrator.scheduling.plan import Plan
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import DeviceKind, Snapshot
from orchestrator.units import GIB, MIB
from tests.controller.plant import MINILM, model_folder, request_for
from tests.scheduling.described import snapshot_of

GPUS = snapshot_of("local: 24 | 24")
UNKNOWN = Known()
CPUS = snapshot_of("local: cpu 16 | cpu 16")


def work_for(folder: Path, **sections: Any) -> BatchWork:  # noqa: ANN401
    """The work, after a journey over HTTP."""
    request = Request.of(json.loads(json.dumps(request_for(folder, **sections))))
    work = request.work(Snapshots(folder / "snapshots"))
    assert isinstance(work, BatchWork)
    return work


def minilm(folder: Path, **sections: Any) -> BatchWork:  # noqa: ANN401
    return work_for(folder, **{"model": {"id": MINILM}, "resources": {}, **sections})


def test_a_request_of_the_client_is_understood(tmp_path: Path) -> None:
    work = work_for(tmp_path, name="mine", input={"path": "rows.jsonl", "text": "t"})
    assert work.job.name == "mine"
    assert work.folder == tmp_path
    assert work.code == {"my_model.py": b"class MyModel: ...\n"}
    assert work.fields == ("t",)
    assert work.model_label == "my_model:MyModel"
    work.check()


def test_the_name_is_filled_into_the_output(tmp_path: Path) -> None:
    body = request_for(tmp_path, name="a", output={"path": "/o/{name}-{id}"})
    assert Request.of(body).output() == "/o/a-{id}"


def without(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def test_a_body_that_is_none_is_refused_as_a_bad_value(tmp_path: Path) -> None:
    good = request_for(tmp_path)
    spec, source = good["spec"], good["source"]
    bad: list[Any] = [
        {},
        *(without(good, name) for name in ("spec", "source", "code")),
        {**good, "env": ["A"]},
        {**good, "env": {"A": 5}},
        {**good, "env": {"A=B": "x"}},
        {**good, "secrets": {"A": "x\0"}},
        {**good, "snapshot": 5},
        {**good, "wait_start_s": "now"},
        {**good, "spec": None},
        {**good, "spec": []},
        {**good, "spec": without(spec, "version")},
        {**good, "spec": {**spec, "version": 2}},
        {**good, "spec": {**spec, "colour": "red"}},
        {**good, "spec": {**spec, "name": "../../etc"}},
        {**good, "spec": {**spec, "keep_alive": math.nan}},
        {**good, "spec": {**spec, "input": {"path": ""}}},
        {**good, "source": None},
        {**good, "source": "x"},
        {**good, "source": without(source, "folder")},
        {**good, "source": {**source, "folder": 5}},
        {**good, "code": None},
        {**good, "code": ["a"]},
        {**good, "code": {"a.py": 5}},
        {**good, "code": {"a.py": "not base64!"}},
        {**good, "code": {"a.py": "é"}},
        {**good, "code": {"a.py": "YQ"}},
    ]
    for body in bad:
        with pytest.raises(OrchError) as caught:
            Request.of(body)
        assert caught.value.fault.code is Code.BAD_VALUE, body


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ({"input": {"path": "none.jsonl"}}, Code.FILE_NOT_FOUND),
        ({"input": {"path": "a\0.jsonl"}}, Code.FILE_NOT_FOUND),
        ({"input": {"path": "*\0.jsonl"}}, Code.FILE_NOT_FOUND),
        ({"model": {"id": "./none"}}, Code.MODEL_FAILED_TO_LOAD),
        ({"model": {"id": "package:no-such-package"}}, Code.MODEL_FAILED_TO_LOAD),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_queued(
    tmp_path: Path, sections: dict[str, Any], code: Code
) -> None:
    with pytest.raises(OrchError) as caught:
        work_for(tmp_path, **sections).check()
    assert caught.value.fault.code is code


def key(work: BatchWork, kind: DeviceKind = DeviceKind.CUDA) -> str:
    return work.engine_key(kind, work.look())


SAME = [
    {"name": "other"},
    {"input": {"path": "*.jsonl", "id_field": "id"}},
    {"output": {"path": "/elsewhere/{id}"}},
    {"keep_alive": "5m"},
    {"resources": {"gpus": 1, "gpu_memory": "4GiB"}},
    {"batch": {"in_flight": 5}},
]


@pytest.mark.parametrize("sections", SAME, ids=str)
def test_what_is_loaded_is_the_same(tmp_path: Path, sections: dict[str, Any]) -> None:
    assert key(work_for(tmp_path, **sections)) == key(work_for(tmp_path))


DIFFERENT = [
    {"model": {"entry": "my_model:Other"}},
    {"model": {"entry": "my_model:MyModel", "args": {"width": 3}}},
    {"model": {"entry": "my_model:MyModel", "dtype": "float32"}},
    {"params": {"max_length": 12}},
    {"input": {"path": "rows.jsonl", "fields": ["a", "b"]}},
    {"resources": {"gpu_memory": "5GiB"}},
]


@pytest.mark.parametrize("sections", DIFFERENT, ids=str)
def test_what_is_loaded_differs(tmp_path: Path, sections: dict[str, Any]) -> None:
    assert key(work_for(tmp_path, **sections)) != key(work_for(tmp_path))


def test_code_that_changed_is_another_engine(tmp_path: Path) -> None:
    work = work_for(tmp_path)
    changed = replace(work, code={"my_model.py": b"class MyModel: pass\n"})
    assert key(changed) != key(work)


def test_a_cpu_and_a_gpu_load_different_things(tmp_path: Path) -> None:
    work = work_for(tmp_path)
    assert key(work, DeviceKind.CPU) != key(work, DeviceKind.CUDA)


def test_a_model_from_elsewhere_is_the_same_from_every_folder(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    assert len({key(minilm(folder)) for folder in folders}) == 1
    assert len({key(work_for(folder)) for folder in folders}) == 2


def planned(work: BatchWork, snapshot: Snapshot, known: Known = UNKNOWN) -> Plan:
    plan = schedule(work.demand(snapshot, work.look(), known), snapshot)
    assert isinstance(plan, Plan)
    return plan


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


def test_the_engine_is_told_of_its_gpu_and_what_it_may_use(tmp_path: Path) -> None:
    work = work_for(tmp_path)
    placement = planned(work, GPUS).placements[1]
    spec = work.engine_spec(placement, 64)
    assert spec.budget == 64
    assert (spec.name, spec.gpu, spec.kind) == ("torch", "uuid-local:1", "cuda")
    assert spec.memory_bytes == placement.reserve_bytes == 4 * GIB
    assert spec.cores >= 1
    assert spec.code == dict(work.code)
    assert spec.folder == str(tmp_path)


def identified(work: BatchWork) -> dict[str, Any]:
    return work.identity(work.look())


def test_results_of_the_same_model_and_params_can_be_reused(tmp_path: Path) -> None:
    identity = identified(minilm(tmp_path))
    assert identity == identified(minilm(tmp_path, name="other", keep_alive="9m"))
    assert identity != identified(minilm(tmp_path, params={"max_length": 9}))
    assert identity["revision"], "the package's version"
    assert json.loads(json.dumps(identity)) == identity
