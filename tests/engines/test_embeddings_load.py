"""Models that do not load say why in one sentence, without a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.engines.executors import executor_for
from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.spec.job import Model
from tests.engines.small_models import engine_spec, write_bert


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def unknown(folder: Path) -> None:
    edit(folder / "config.json", model_type="telepathy")


def remote(folder: Path) -> None:
    auto_map = {"AutoModel": "modeling.Model"}
    edit(folder / "config.json", model_type="telepathy", auto_map=auto_map)


def other_shape(folder: Path) -> None:
    edit(folder / "config.json", intermediate_size=24)


def more_layers(folder: Path) -> None:
    edit(folder / "config.json", num_hidden_layers=3)


def bad_config(folder: Path) -> None:
    edit(folder / "config.json", hidden_size="wide")


def no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "model.safetensors are damaged"),
        (unknown, "architecture 'telepathy' is unknown"),
        (remote, "needs Python code of its own"),
        (other_shape, "does not load"),
        (more_layers, "tensors are missing, the first is encoder.layer.2"),
        (bad_config, "does not load"),
        (no_json, "is not JSON"),
        (pickled, "pytorch_model.bin, which can run code"),
    ],
)
def test_a_model_that_does_not_load_says_why(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    damage(write_bert(tmp_path))
    with pytest.raises(OrchError) as caught:
        executor_for(engine_spec(Model(id=str(tmp_path)), tmp_path)).load()
    fault = caught.value.fault
    assert fault.code is Code.MODEL_FAILED_TO_LOAD
    assert message in fault.message
    assert "\n" not in fault.message
    assert fault.fix


def test_pickled_weights_load_when_allowed(tmp_path: Path) -> None:
    body = write_bert(tmp_path)
    weights = tmp_path / "model.safetensors"
    from_safetensors = executor_for(engine_spec(Model(id=str(body)), tmp_path)).load()
    torch.save(load_file(weights), tmp_path / "pytorch_model.bin")
    weights.unlink()
    model = Model(id=str(body), allow_pickle=True)
    pickled = executor_for(engine_spec(model, tmp_path)).load()
    assert pickled.weights_bytes == from_safetensors.weights_bytes


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_that_does_not_start_is_e102(tmp_path: Path) -> None:
    spec = engine_spec(Model(id=str(write_bert(tmp_path))), tmp_path)
    with pytest.raises(OrchError) as caught:
        executor_for(replace(spec, kind=DeviceKind.CUDA, gpu="GPU-1")).load()
    assert caught.value.fault.code is Code.GPU_FAILED_TO_INITIALISE
    assert "nvidia-smi" in caught.value.fault.fix
