from __future__ import annotations

from orchestrator.engines.growth import Growth

GIB = 1 << 30


def grow(growth: Growth, rates: dict[int, float], bytes_per_unit: int = 0) -> int:
    """Play a GPU that runs `rates[size]` units a second."""
    while not growth.done:
        growth.record(growth.size / rates[growth.size], growth.size * bytes_per_unit)
    return growth.size


def test_it_doubles_while_that_pays_and_keeps_the_fastest() -> None:
    rates = {4: 10.0, 8: 20.0, 16: 30.0, 32: 25.0}
    assert grow(Growth(4, 64, GIB, 1e9), rates) == 16


def test_a_flat_rate_does_not_ask_for_more_memory() -> None:
    rates = {4: 10.0, 8: 20.0, 16: 20.01, 32: 20.02, 64: 20.03}
    assert grow(Growth(4, 64, GIB, 1e9), rates) == 8


def test_it_stops_before_the_reservation_is_exceeded() -> None:
    rates = dict.fromkeys((4, 8, 16, 32, 64), 1.0)
    faster = {size: float(size) for size in rates}
    assert grow(Growth(4, 64, 1000, 1e9), faster, bytes_per_unit=40) == 16


def test_what_does_not_grow_is_not_doubled() -> None:
    rates = {size: float(size) for size in (4, 8, 16, 32, 64)}
    growth = Growth(4, 64, 1000, 1e9, base_bytes=600)
    while not growth.done:
        growth.record(growth.size / rates[growth.size], 600 + growth.size * 10)
    assert growth.size == 32


def test_it_stops_at_the_cap() -> None:
    assert grow(Growth(4, 16, GIB, 1e9), {4: 1.0, 8: 2.0, 16: 3.0}) == 16
    assert Growth(64, 16, GIB).size == 16


def test_it_stops_when_its_time_is_spent() -> None:
    assert grow(Growth(4, 64, GIB, 1.0), {4: 10.0, 8: 80.0}) == 4


def test_after_an_overflow_the_best_so_far_remains() -> None:
    growth = Growth(4, 64, GIB, 1e9)
    growth.record(1.0, 0)
    assert growth.overflow()
    assert (growth.done, growth.size) == (True, 4)


def test_what_was_promised_is_tried_whatever_smaller_sizes_took() -> None:
    faster = {size: float(size) for size in (4, 8, 16, 32, 64)}
    growth = Growth(4, 64, 1000, 1e9, promised=32)
    assert grow(growth, faster, bytes_per_unit=40) == 32


def test_it_says_whether_a_larger_size_was_no_faster() -> None:
    slower, faster = {4: 10.0, 8: 20.0, 16: 15.0}, {4: 10.0, 8: 20.0, 16: 30.0}
    for rates, settled in ((slower, True), (faster, False)):
        growth = Growth(4, 16, GIB, 1e9)
        grow(growth, rates)
        assert growth.settled == settled


def test_an_overflow_at_once_has_nothing_to_fall_back_on() -> None:
    assert not Growth(4, 64, GIB).overflow()
