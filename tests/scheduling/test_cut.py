from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.scheduling.cut import stages, tensor_degrees, tensor_piece
from orchestrator.scheduling.layout import Pieces
from orchestrator.scheduling.plan import Demand
from orchestrator.units import GIB
from tests.scheduling.described import demand_from

# heads, heads of keys and values, GPUs, degrees
DEGREES = [
    (32, 8, 8, [2, 4, 8]),
    (32, 8, 7, [2, 4]),
    (32, 1, 4, [2, 4]),
    (24, 24, 6, [2, 3, 4, 6]),
    (24, 8, 6, [2, 4]),
    (31, 31, 8, []),
    (32, 2, 8, [2, 4, 8]),
    (0, 0, 8, []),
    (32, 8, 1, []),
]


@pytest.mark.parametrize(("heads", "kv_heads", "most", "degrees"), DEGREES)
def test_heads_divide_or_there_is_no_tensor_parallel(
    heads: int, kv_heads: int, most: int, degrees: list[int]
) -> None:
    pieces = Pieces(layer_bytes=(1,), heads=heads, kv_heads=kv_heads)
    assert tensor_degrees(pieces, most) == degrees


def test_a_tensor_piece_has_its_part_of_weights_and_cache_and_all_else_whole() -> None:
    demand = Demand("K", 101, 30, 7)
    pieces = Pieces((101,), cache_bytes=20, heads=8, kv_heads=2)
    two = tensor_piece(demand, pieces, 2)
    assert (two.weights_bytes, two.activation_bytes, two.context_bytes) == (51, 20, 7)
    # Two heads of keys and values on four GPUs: each is there twice.
    assert tensor_piece(demand, pieces, 4).activation_bytes == 20


# rooms, how many of ten equal layers of 10 each: context 1, activations 1
STAGES = [
    ([62, 62], [5, 5]),
    ([92, 32], [8, 2]),
    ([82, 22], [8, 2]),
    ([32, 92], [2, 8]),
    ([81, 22], None),
    ([42, 42, 22], [4, 4, 2]),
    ([102, 102], [5, 5]),
    ([102, 1], None),
    ([102], [10]),
    ([1000] * 10, [1] * 10),
    ([1000] * 11, None),
]


@pytest.mark.parametrize(("rooms", "counts"), STAGES)
def test_stages_are_sized_by_the_room_of_each_gpu(
    rooms: list[int], counts: list[int] | None
) -> None:
    demand = Demand("K", 100, 1, 1)
    cut = stages(demand, Pieces((10,) * 10), rooms)
    sizes = cut and [end - begin for begin, end in (p.layers or (0, 0) for p in cut)]
    assert sizes == counts


def test_an_evenly_split_plan_would_overflow_the_small_gpu() -> None:
    demand = demand_from("28 layers=32")
    assert demand.pieces is not None
    rooms = [24 * GIB, 8 * GIB]
    cut = stages(demand, demand.pieces, rooms)
    assert cut is not None
    half = demand.weights_bytes // 2 + demand.activation_bytes + demand.context_bytes
    assert half > rooms[1]
    assert all(p.reserve_bytes <= room for p, room in zip(cut, rooms, strict=True))


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=12),
    st.lists(st.integers(0, 200), min_size=1, max_size=4),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 40),
)
def test_no_layer_is_lost_and_no_stage_takes_more_than_its_gpu_has(
    layers: list[int], rooms: list[int], first: int, last: int, cache: int
) -> None:
    pieces = Pieces(tuple(layers), first, last, cache_bytes=cache)
    demand = Demand("K", sum(layers) + first + last, 3 + cache, 2)
    cut = stages(demand, pieces, rooms)
    if cut is None:
        return
    bounds = [piece.layers or (0, 0) for piece in cut]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == len(layers)
    assert all(a[1] == b[0] for a, b in pairwise(bounds))
    assert all(end > begin for begin, end in bounds)
    assert sum(piece.weights_bytes for piece in cut) == demand.weights_bytes
    assert all(p.reserve_bytes <= room for p, room in zip(cut, rooms, strict=True))


@given(st.lists(st.integers(1, 30), min_size=2, max_size=12), st.integers(1, 200))
def test_one_gpu_that_holds_all_layers_is_a_stage(
    layers: list[int], spare: int
) -> None:
    demand = Demand("K", sum(layers), 3, 2)
    room = demand.reserve_bytes + spare
    cut = stages(demand, Pieces(tuple(layers)), [room])
    assert cut is not None
    assert cut[0].layers == (0, len(layers))
