from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.estimate.allocator import (
    Allocator,
    OutOfMemory,
    least_bytes,
    reserved_bytes,
)
from orchestrator.estimate.tape import Tape
from orchestrator.units import MIB

STEPS = [
    # what is taken (+) and freed (its number), what is reserved at most, in MiB
    ("nothing", [], 0),
    ("a byte takes a small segment", [+1], 2),
    ("small blocks share a segment", [+MIB, +MIB], 2),
    ("and need another one", [+MIB, +MIB, +512], 4),
    ("above 1 MiB from 20 MiB", [+MIB + 1], 20),
    ("twenty of these share it", [+MIB + 1] * 2, 20),
    ("10 MiB have their own", [+10 * MIB], 10),
    ("rounded up to 2 MiB", [+10 * MIB + 1], 12),
    ("a freed block is used again", [+50 * MIB, "free 0", +50 * MIB], 50),
    ("a smaller one fits into it", [+50 * MIB, "free 0", +30 * MIB, +20 * MIB], 50),
    ("a larger one does not", [+50 * MIB, "free 0", +51 * MIB], 102),
    (
        "neighbours join",
        [+50 * MIB, "free 0", +25 * MIB, +25 * MIB, "free 1", "free 2", +50 * MIB],
        50,
    ),
    (
        "the smallest that holds it is taken",
        [+60 * MIB, +40 * MIB, "free 0", "free 1", +40 * MIB, +60 * MIB],
        100,
    ),
    (
        "a rest of 1 MiB is not split off",
        [+22 * MIB, "free 0", +21 * MIB, +MIB + 1],
        42,
    ),
    ("small and large do not mix", [+20 * MIB, "free 0", +MIB], 22),
]


@pytest.mark.parametrize(
    ("steps", "mib"), [s[1:] for s in STEPS], ids=[s[0] for s in STEPS]
)
def test_what_is_reserved(steps: list[int | str], mib: int) -> None:
    assert reserved_bytes(tape_of(steps)) == mib * MIB


def test_what_is_cached_goes_back_before_it_fails() -> None:
    tape = tape_of([+50 * MIB, "free 0", +60 * MIB])
    assert reserved_bytes(tape) == 110 * MIB
    assert reserved_bytes(tape, limit_bytes=60 * MIB) == 60 * MIB
    assert least_bytes(tape) == 60 * MIB


def test_a_segment_that_is_partly_used_does_not_go_back() -> None:
    tape = tape_of([+50 * MIB, "free 0", +10 * MIB, +60 * MIB])
    assert least_bytes(tape) == 110 * MIB
    with pytest.raises(OutOfMemory):
        reserved_bytes(tape, limit_bytes=109 * MIB)


def test_a_second_tape_finds_what_the_first_left() -> None:
    allocator = Allocator()
    allocator.play(tape_of([+50 * MIB, "free 0"]))
    allocator.play(tape_of([+40 * MIB]))
    assert allocator.reserved_bytes == 50 * MIB


SIZES = st.integers(1, 40 * MIB)
TAPES = st.lists(st.tuples(SIZES, st.integers(0, 5)), min_size=1, max_size=40)


@given(TAPES)
def test_no_two_blocks_share_memory_and_none_is_lost(
    steps: list[tuple[int, int]],
) -> None:
    tape = made(steps)
    reserved = reserved_bytes(tape)
    assert tape.peak_bytes() <= reserved
    least = least_bytes(tape)
    assert tape.peak_bytes() <= least <= reserved
    assert reserved_bytes(tape, limit_bytes=least) <= least
    with pytest.raises(OutOfMemory):
        reserved_bytes(tape, limit_bytes=least - 2 * MIB)


@given(TAPES)
def test_all_that_is_freed_is_found_again(steps: list[tuple[int, int]]) -> None:
    tape = made(steps)
    tape.free(*range(len(steps)))
    once = reserved_bytes(tape)
    assert reserved_bytes(tape, tape) == once


def made(steps: list[tuple[int, int]]) -> Tape:
    """Blocks are taken; before some of them an earlier one is freed."""
    tape = Tape()
    for count, (size, freed) in enumerate(steps):
        if 0 < freed <= count:
            tape.free(count - freed)
        tape.new(size)
    return tape


def tape_of(steps: list[int | str]) -> Tape:
    tape = Tape()
    for step in steps:
        if isinstance(step, int):
            tape.new(step)
        else:
            tape.free(int(step.removeprefix("free ")))
    return tape
