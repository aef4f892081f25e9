"""The weights of a model as files: their headers, and whether they are whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import Code, OrchError
from orchestrator.units import format_count

SAFETENSORS = "model.safetensors"
PICKLE = "pytorch_model.bin"
_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000
_GET_AGAIN = "Get the file again: it was not copied or downloaded to its end."


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """What a safetensors header says of one tensor.

    Attributes:
        dtype: As written there, such as `F32` or `BF16`.
        shape: Its dimensions.
        size_bytes: What it takes in the file.
    """

    dtype: str
    shape: tuple[int, ...]
    size_bytes: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Reading a model's files: they may go, or be closed to us, at any moment.

    Raises:
        OrchError: E103, what is in this context could not read them.
    """
    try:
        yield
    except OSError as error:
        raise OrchError.of(
            Code.MODEL_FAILED_TO_LOAD,
            f"The model's files cannot be read: {error.strerror or error}.",
            facts=(f"file: {error.filename or path}",),
            fix="See that they are there and may be read, then submit again.",
        ) from error


def read_weight_headers(path: Path) -> dict[str, TensorHeader]:
    """The tensors of a model folder by name, without reading their values.

    Empty when the model has no safetensors weights.

    Raises:
        OrchError: E103, a file is missing or damaged.
    """
    headers: dict[str, TensorHeader] = {}
    for file in _listed(path, SAFETENSORS):
        headers.update(read_header(file))
    return headers


def pickled_bytes(path: Path) -> int:
    """The size of a model folder's pickled weights.

    Raises:
        OrchError: E103, a file is missing.
    """
    return sum(file.stat().st_size for file in _listed(path, PICKLE))


def check_weights(path: Path, *, allow_pickle: bool) -> None:
    """See that all weight files are there and whole, before anything loads them.

    Raises:
        OrchError: E103, naming the file and what is wrong with it.
    """
    if read_weight_headers(path):
        return
    pickles = _listed(path, PICKLE)
    if not pickles:
        raise OrchError.of(
            Code.MODEL_FAILED_TO_LOAD,
            f"There are no weights in {path}.",
            facts=(f"looked for {SAFETENSORS} and {SAFETENSORS}.index.json",),
            fix="Give the folder that save_pretrained wrote, weights included.",
        )
    if not allow_pickle:
        raise OrchError.of(
            Code.MODEL_FAILED_TO_LOAD,
            f"The model has only pickled weights, {pickles[0].name}, which can run code"
            " when they are loaded.",
            fix="Convert them to safetensors, or set model.allow_pickle: true if you"
            " trust where they come from.",
        )


def read_header(file: Path) -> dict[str, TensorHeader]:
    """The tensors of one safetensors file, checked against the file's size.

    Raises:
        OrchError: E103, the file is truncated or no safetensors file.
    """
    with readable(file), file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or not 0 < length <= _MAX_HEADER_BYTES:
            raise _damaged(file, "it is no safetensors file")
        text = stream.read(length)
    if len(text) < length:
        raise _damaged(file, f"it ends within its header, at byte {format_count(size)}")
    try:
        entries: dict[str, Any] = json.loads(text)
        entries.pop("__metadata__", None)
        headers = {name: _tensor(entry) for name, entry in entries.items()}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _damaged(file, "its header cannot be read") from error
    if size != _LENGTH_BYTES + length + end:
        raise _damaged(
            file,
            f"it has {format_count(size)} bytes where its header says"
            f" {format_count(_LENGTH_BYTES + length + end)}",
        )
    return headers


def _tensor(entry: dict[str, Any]) -> TensorHeader:
    start, end = entry["data_offsets"]
    return TensorHeader(str(entry["dtype"]), tuple(entry["shape"]), end - start)


def _damaged(file: Path, what: str) -> OrchError:
    return OrchError.of(
        Code.MODEL_FAILED_TO_LOAD,
        f"The weights {file.name} are damaged: {what}.",
        facts=(f"file: {file}",),
        fix=_GET_AGAIN,
    )


def _listed(path: Path, name: str) -> list[Path]:
    """The single file of that name, or the shards that its index names."""
    if (path / name).is_file():
        return [path / name]
    index = path / f"{name}.index.json"
    if not index.is_file():
        return []
    try:
        with readable(index):
            shards = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(index, "it is no index of shards") from error
    files = [path / shard for shard in shards]
    for file in files:
        if not file.is_file():
            raise OrchError.of(
                Code.MODEL_FAILED_TO_LOAD,
                f"The weights are incomplete: {file.name} is missing.",
                facts=(f"{index.name} names {len(files)} files in {path}",),
                fix=_GET_AGAIN,
            )
    return files
