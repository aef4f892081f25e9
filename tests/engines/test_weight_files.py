from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from orchestrator.engines.weight_files import check_weights, read_weight_headers
from orchestrator.errors import Code, OrchError


def write(folder: Path) -> Path:
    file = folder / "model.safetensors"
    tensors: dict[str, npt.NDArray[Any]] = {
        "a": np.zeros((3, 4), np.float32),
        "b": np.zeros(5, np.float16),
    }
    save_file(tensors, str(file), metadata={"format": "pt"})
    return file


def cut_data(folder: Path) -> None:
    file = write(folder)
    file.write_bytes(file.read_bytes()[:-7])


def cut_header(folder: Path) -> None:
    file = write(folder)
    file.write_bytes(file.read_bytes()[:20])


def garbage(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"<html>not found</html>" * 9)


def empty(folder: Path) -> None:
    (folder / "model.safetensors").touch()


def broken_header(folder: Path) -> None:
    file = write(folder)
    data = bytearray(file.read_bytes())
    data[8] = ord("[")
    file.write_bytes(data)


def missing_shard(folder: Path) -> None:
    write(folder).rename(folder / "model-1.safetensors")
    names = {"a": "model-1.safetensors", "c": "model-2.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": names}))


def broken_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{}")


def only_pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")


def nothing(folder: Path) -> None:
    del folder


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_data, "model.safetensors are damaged: it has"),
        (cut_header, "ends within its header"),
        (garbage, "no safetensors file"),
        (empty, "no safetensors file"),
        (broken_header, "header cannot be read"),
        (missing_shard, "model-2.safetensors is missing"),
        (broken_index, "model.safetensors.index.json are damaged"),
        (only_pickle, "pytorch_model.bin, which can run code"),
        (nothing, "no weights"),
    ],
)
def test_weights_that_cannot_be_used_name_the_file(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    damage(tmp_path)
    with pytest.raises(OrchError) as caught:
        check_weights(tmp_path, allow_pickle=False)
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD
    assert message in caught.value.fault.message
    assert caught.value.fault.fix


def test_pickled_weights_pass_when_allowed(tmp_path: Path) -> None:
    only_pickle(tmp_path)
    check_weights(tmp_path, allow_pickle=True)
    assert read_weight_headers(tmp_path) == {}


def test_headers_tell_types_and_sizes(tmp_path: Path) -> None:
    write(tmp_path)
    headers = read_weight_headers(tmp_path)
    assert (headers["a"].dtype, headers["a"].shape) == ("F32", (3, 4))
    assert (headers["b"].elements, headers["b"].size_bytes) == (5, 10)


def test_shards_are_read_together(tmp_path: Path) -> None:
    missing_shard(tmp_path)
    save_file({"c": np.zeros(2)}, str(tmp_path / "model-2.safetensors"))
    assert sorted(read_weight_headers(tmp_path)) == ["a", "b", "c"]
