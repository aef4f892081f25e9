"""A board that was advanced answers as `schedule` does on a snapshot made anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.scheduling.board import board_of
from orchestrator.scheduling.mix import typical
from orchestrator.scheduling.places import Places, mixed
from orchestrator.scheduling.plan import Demand, Plan
from orchestrator.scheduling.policy import Policy, Scoring
from orchestrator.scheduling.queue_room import after_plan
from orchestrator.scheduling.request import Request, request_of
from orchestrator.scheduling.schedule import schedule
from orchestrator.scheduling.snapshot import (
    DeviceKind,
    Gpu,
    Node,
    Snapshot,
    Uuid,
)

WHOLE = 1000


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    gpus: list[Gpu] = []
    nodes: list[Node] = []
    for name in "abcde"[: draw(st.integers(1, 5))]:
        model = draw(st.sampled_from(["T4", "V100"]))
        for index in range(draw(st.integers(0, 4))):
            uuid = Uuid(f"{name}{index}")
            kind = DeviceKind.CUDA
            gpus.append(Gpu(uuid, name, name, index, model, kind, WHOLE, WHOLE))
        nodes.append(Node(name, name, draw(st.integers(1, 12)), 100))
    gpus.append(Gpu(Uuid("z0"), "z", "z", 0, "T4", DeviceKind.CUDA, WHOLE, WHOLE))
    return Snapshot(tuple(gpus), nodes=tuple(nodes))


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    gang = draw(st.sampled_from([0, 1, 1, 1, 2]))
    share = gang == 1 and draw(st.booleans())
    return Demand(
        engine_key="",
        weights_bytes=draw(st.integers(1, 9)) * 100 if share else WHOLE,
        activation_bytes=0,
        context_bytes=0,
        maximum=1,
        gang=gang,
        share=share,
        cpu_milli=draw(st.integers(0, 4)),
        ram_bytes=draw(st.integers(0, 20)),
        gpu_type=draw(st.sampled_from([(), (), ("T4",)])),
    )


@given(
    clusters(),
    st.lists(demands(), min_size=1, max_size=8),
    st.sampled_from(Scoring),
    st.integers(0, 3),
)
@settings(max_examples=200, deadline=None)
def test_an_advanced_board_decides_as_schedule_does(
    snapshot: Snapshot, pods: list[Demand], scoring: Scoring, seed: int
) -> None:
    mix = typical(map(request_of, pods))
    policy = Policy(headroom_percent=0, scoring=scoring, mix=mix)
    board = board_of(snapshot, policy)
    places = Places(board, policy)
    for number, pod in enumerate(pods * 2):
        key = mixed(seed + number) if scoring is Scoring.RANDOM else None
        spot = places.best(request_of(pod), key)
        answer = schedule(pod, snapshot, replace(policy, key=key))
        if spot is None:
            assert not isinstance(answer, Plan)
            continue
        assert isinstance(answer, Plan)
        chosen = [board.gpu((spot.row, column)).uuid for column in spot.columns]
        assert [placement.gpu.uuid for placement in answer.placements] == chosen
        if answer.hosts:
            assert [h.node_id for h in answer.hosts] == [board.nodes[spot.row].node_id]
        board.take(spot, request_of(pod))
        snapshot = after_plan(snapshot, answer, str(number))


@given(clusters(), st.lists(demands(), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_board_never_gives_more_than_it_has(
    snapshot: Snapshot, pods: list[Demand]
) -> None:
    policy = Policy(headroom_percent=0)
    board = board_of(snapshot, policy)
    places = Places(board, policy)
    for pod in pods:
        spot = places.best(request_of(pod))
        if spot is not None:
            board.take(spot, request_of(pod))
    assert (board.cpu >= 0).all()
    assert (board.ram >= 0).all()
    assert (board.room >= -1).all()
    assert (board.left == board.room.clip(0).sum(axis=1)).all()
    assert (board.empty == (board.whole >= 0).sum(axis=1)).all()
    assert (board.empty_left == board.whole.clip(0).sum(axis=1)).all()


def request(gpu_bytes: int, cpu_milli: int = 1, gang: int = 1) -> Request:
    share = gang == 1 and gpu_bytes < WHOLE
    return Request(gang, gpu_bytes, share, cpu_milli, 0)


def two_nodes(*taken: tuple[int, int]) -> Snapshot:
    """Node a and node b with a GPU each; free bytes and free cores of each node."""
    gpus = tuple(
        Gpu(Uuid(name), name, name, 0, "T4", DeviceKind.CUDA, WHOLE, free)
        for name, (free, _) in zip("ab", taken, strict=True)
    )
    nodes = tuple(
        Node(name, name, cpu, 100) for name, (_, cpu) in zip("ab", taken, strict=True)
    )
    return Snapshot(gpus, nodes=nodes)


# policy, a and b: free bytes and cores, asked bytes and cores, where
SCORES = [
    # left over: a (300/1000 + 9/10) / 2 = 0.6, b (500/1000 + 4/10) / 2 = 0.45
    (Scoring.BEST_FIT, (600, 10), (800, 5), (300, 1), "b"),
    # the same cores: a 0.3, b 0.5
    (Scoring.BEST_FIT, (600, 10), (800, 10), (300, 1), "a"),
    # left over: a 300, b 500
    (Scoring.WORST_FIT, (600, 10), (800, 5), (300, 1), "b"),
    (Scoring.WORST_FIT, (800, 10), (800, 5), (300, 1), "a"),
    # typical: 300 and 600 with one core. On a 600 - 300 leaves 300, of use to half of
    # the jobs and before to all; on b 800 - 300 leaves 500, of use to half.
    # In all 300 - 600 + 150 = -150 on a, 300 - 800 + 250 = -250 on b.
    (Scoring.FGD, (600, 10), (800, 5), (300, 1), "a"),
    # b's cores are all gone then: 900 - 300 leaves 600, of use to nobody
    # In all 300 - 800 + 250 = -250 on a, 300 - 900 + 0 = -600 on b.
    (Scoring.FGD, (800, 10), (900, 1), (300, 1), "a"),
    # nobody uses 200 anyway: 200 - 0 + 0 = 200 on a, 200 - 600 + 200 = -200 on b
    (Scoring.FGD, (200, 5), (600, 5), (200, 1), "a"),
]


@pytest.mark.parametrize(("scoring", "a", "b", "asked", "where"), SCORES)
def test_scores_are_what_their_formulas_say(
    scoring: Scoring,
    a: tuple[int, int],
    b: tuple[int, int],
    asked: tuple[int, int],
    where: str,
) -> None:
    mix = typical([request(300), request(600)])
    policy = Policy(headroom_percent=0, scoring=scoring, mix=mix)
    board = board_of(two_nodes(a, b), policy)
    spot = Places(board, policy).best(request(*asked))
    assert spot is not None
    assert board.nodes[spot.row].node == where


def test_chance_takes_every_place_and_the_same_key_the_same_one() -> None:
    policy = Policy(headroom_percent=0, scoring=Scoring.RANDOM)
    places = Places(board_of(two_nodes((900, 9), (900, 9)), policy), policy)
    spots = [places.best(request(300), key) for key in range(50)]
    assert {spot.row for spot in spots if spot} == {0, 1}
    assert spots == [places.best(request(300), key) for key in range(50)]


def test_what_is_typical_covers_95_percent_the_most_frequent_first() -> None:
    often, seldom, rare = request(100), request(200), request(300)
    found = typical([often] * 70 + [seldom] * 25 + [rare] * 5)
    assert [(t.request, t.share) for t in found] == [
        (often, 70 / 95),
        (seldom, 25 / 95),
    ]
    assert typical([]) == ()
