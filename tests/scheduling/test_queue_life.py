"""Random arrivals, sizes, runtimes and bounds: nobody is starved, no promise broken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.scheduling.described import demand_from, snapshot_of
from tests.scheduling.queue_life import Life, Load

_CLUSTERS = [
    "a: 24 | 24",
    "a: 24 | 24 | 8",
    "a: 24 | 16 ; b: 16 | 8",
    "a: 24/10 pid=14 | 24 | 24",
    "a: 24 sick | 24/4 pid=20 ; b: 16",
    "a: 24 idle.K=6 | 24/20 idle.L=4/4 | 8",
]
_DEMANDS = ["6", "6 1..1", "6 2..2", "6 2", "12 1..1", "12 2..2", "20 1..2", "20 2..2"]
_DEMANDS += ["6 1..1 -a:0", "6 1..1 -a:1", "12 2..2 -b:1", "30", "6 3..3", "1 4..4"]


@st.composite
def _loads(draw: st.DrawFn, *, bounded: bool = False) -> Load:
    runs = draw(st.integers(1, 20))
    slack = draw(st.integers(0, 10) if bounded else st.none() | st.integers(0, 10))
    return Load(
        arrives=draw(st.integers(0, 30)),
        demand=demand_from(draw(st.sampled_from(_DEMANDS))),
        runs=runs,
        bound=None if slack is None else runs + slack,
        priority=draw(st.sampled_from([0, 0, 0, 5])),
    )


_limits = st.sampled_from([1, 2, 64])


@given(st.sampled_from(_CLUSTERS), st.lists(_loads(), max_size=14), _limits)
def test_nobody_is_starved(cluster: str, loads: list[Load], limit: int) -> None:
    Life(snapshot_of(cluster), loads, leaves=40, limit=limit).run()


@given(st.sampled_from(_CLUSTERS), st.lists(_loads(bounded=True), max_size=14), _limits)
def test_nobody_is_late(cluster: str, loads: list[Load], limit: int) -> None:
    life = Life(snapshot_of(cluster), loads, leaves=25, limit=limit)
    life.run()
    for key, at in life.promised.items():
        assert life.started[key] <= at


def test_small_jobs_without_end_do_not_starve_a_large_one() -> None:
    """Each small one arrives before the last has ended; each would fit beside it."""
    small = demand_from("6 1..1")
    loads = [Load(t, small, runs=20, bound=None) for t in range(0, 200, 10)]
    large = Load(5, demand_from("6 2..2"), runs=5, bound=None)
    life = Life(snapshot_of("a: 24 | 24"), [*loads, large])
    life.run()
    # At 5 one GPU is busy until 20; at 10 the next small one does not get the other.
    assert life.started[len(loads)] == 20


def test_small_jobs_that_end_in_time_pass() -> None:
    loads = [
        Load(0, demand_from("6 1..1"), runs=50, bound=50),
        Load(1, demand_from("6 2..2"), runs=5, bound=5),
        *(Load(t, demand_from("6 1..1"), runs=10, bound=10) for t in range(2, 50, 10)),
    ]
    life = Life(snapshot_of("a: 24 | 24"), loads)
    life.run()
    assert life.started[1] == 50
    # 2, 12, 22 and 32 end by 42; the one of 42 would end at 52.
    assert [life.started[key] for key in range(2, 7)] == [2, 12, 22, 32, 55]
