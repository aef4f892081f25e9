"""A request as work: what is checked, loaded, and reused."""

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
from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.units import GIB
from tests.controller.plant import request_for
from tests.controller.works import GPUS, minilm, planned, work_for


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


def test_the_engine_knows_where_the_code_came_from(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    work = work_for(tmp_path, workdir="src")
    work.check()
    placement = planned(work, GPUS).placements[0]
    assert work.engine_spec(placement, 64).folder == str(tmp_path / "src")
    local = minilm(tmp_path, workdir="src")
    placement = planned(local, GPUS).placements[0]
    assert local.engine_spec(placement, 64).folder == str(tmp_path)


def identified(work: BatchWork) -> dict[str, Any]:
    return work.identity(work.look())


def test_results_of_the_same_model_and_params_can_be_reused(tmp_path: Path) -> None:
    identity = identified(minilm(tmp_path))
    assert identity == identified(minilm(tmp_path, name="other", keep_alive="9m"))
    assert identity != identified(minilm(tmp_path, params={"max_length": 9}))
    assert identity["revision"], "the package's version"
    assert json.loads(json.dumps(identity)) == identity
