from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Code, OrchError
from orchestrator.estimate.weights import (
    WeightsInfo,
    combined,
    weights_from_header,
)

HEADERS = [
    ({}, WeightsInfo(0)),
    ({"__metadata__": {"format": "pt"}}, WeightsInfo(0)),
    ({"w": ("F32", [3, 4])}, WeightsInfo(12)),
    ({"w": ("BF16", [3, 4]), "b": ("F32", [4])}, WeightsInfo(16)),
    ({"scalar": ("F32", [])}, WeightsInfo(1)),
    ({"empty": ("F32", [0, 9])}, WeightsInfo(0)),
    ({"ids": ("I64", [1, 512])}, WeightsInfo(0, 4096)),
    ({"q": ("I8", [8, 8]), "scale": ("F16", [8])}, WeightsInfo(8, 64)),
    ({"q": ("F8_E4M3", [10])}, WeightsInfo(0, 10)),
    ({"q": ("F4", [3])}, WeightsInfo(0, 2)),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS)
def test_a_header_is_counted(
    header: dict[str, tuple[str, list[int]]], expected: WeightsInfo
) -> None:
    entries = {
        name: entry
        if name == "__metadata__"
        else {"dtype": entry[0], "shape": entry[1], "data_offsets": [0, 0]}
        for name, entry in header.items()
    }
    assert weights_from_header(entries) == expected


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {"dtype": "F32"},
        {"dtype": "F31", "shape": [1]},
        {"dtype": "F32", "shape": [-1]},
        {"dtype": "F32", "shape": ["3"]},
        {"dtype": "F32", "shape": 3},
    ],
)
def test_a_corrupt_header_is_a_model_that_cannot_load(entry: object) -> None:
    with pytest.raises(OrchError) as caught:
        weights_from_header({"layer.0": entry})
    assert caught.value.fault.code is Code.MODEL_FAILED_TO_LOAD
    assert "'layer.0'" in caught.value.fault.message


@given(st.lists(st.lists(st.integers(0, 40), max_size=3), max_size=5))
def test_bytes_are_what_arrays_of_these_shapes_take(shapes: list[list[int]]) -> None:
    header = {
        f"w{i}": {"dtype": "F16", "shape": shape} for i, shape in enumerate(shapes)
    }
    arrays = [np.empty(shape, dtype=np.float32) for shape in shapes]
    info = weights_from_header(header)
    assert info.bytes_as("float32") == sum(array.nbytes for array in arrays)
    assert info.bytes_as("float16") * 2 == info.bytes_as("float32")


def test_files_of_one_model_add_up() -> None:
    assert combined([WeightsInfo(1, 2), WeightsInfo(10, 20)]) == WeightsInfo(11, 22)
    assert combined([]) == WeightsInfo(0)
