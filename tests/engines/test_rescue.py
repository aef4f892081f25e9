from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engines.assemble import Assembly
from orchestrator.engines.base import Batch, Columns, Held, Loaded
from orchestrator.engines.messages import Output
from orchestrator.engines.rescue import rescue
from orchestrator.errors import Code, OrchError


@dataclass(frozen=True, slots=True)
class Numbers:
    """A batch of nothing but positions."""

    rows: npt.NDArray[np.int64]

    def halves(self) -> tuple[Numbers, Numbers]:
        assert len(self.rows) >= 2
        middle = len(self.rows) // 2
        return Numbers(self.rows[:middle]), Numbers(self.rows[middle:])


class Activations:
    """Stands for the tensors of a forward."""


@dataclass
class Squares:
    """Squares positions; raises on some, and has room for so many rows."""

    raises: frozenset[int] = frozenset()
    room: float = math.inf
    late: bool = False
    runs: int = 0
    trims: list[bool] = field(default_factory=list)
    alive: weakref.ref[Activations] | None = None

    def load(self) -> Loaded:
        return Loaded("squares", 0, 8, "none", "", 0.0)

    def launch(self, batch: Batch) -> Callable[[], Columns]:
        self.runs += 1
        if self.late:
            return lambda: self._forward(batch.rows)
        columns = self._forward(batch.rows)
        return lambda: columns

    def _forward(self, rows: npt.NDArray[np.int64]) -> Columns:
        activations = Activations()
        self.alive = weakref.ref(activations)
        if len(rows) > self.room:
            raise MemoryError(f"{len(rows)} rows")
        hit = self.raises & set(rows.tolist())
        if hit:
            raise ValueError(f"row {min(hit)}")
        return {"square": rows**2}

    def is_out_of_memory(self, error: BaseException) -> bool:
        return isinstance(error, MemoryError)

    def trim(self) -> None:
        self.trims.append(self.alive is not None and self.alive() is None)

    def too_large(self, error: BaseException) -> OrchError:
        return OrchError.of(Code.OUT_OF_GPU_MEMORY, f"{error} are too many")

    def held(self) -> Held:
        return Held()


def rescued(executor: Squares, rows: int) -> Output:
    batch = Numbers(np.arange(rows))
    assembly = Assembly(0, rows, 1)
    try:
        assembly.add(batch.rows, executor.launch(batch)())
    except (ValueError, MemoryError) as error:
        rescue(executor, batch, error, assembly)
    return assembly.output(Held())


@given(st.integers(1, 64), st.sets(st.integers(0, 63)), st.booleans())
def test_exactly_the_bad_rows_are_named(
    rows: int, raises: set[int], late: bool
) -> None:
    executor = Squares(frozenset(raises), late=late)
    output = rescued(executor, rows)
    expected = sorted(n for n in raises if n < rows)
    assert sorted(bad.position for bad in output.bad) == expected
    for bad in output.bad:
        assert bad.code is Code.USER_CODE_RAISED
        assert bad.message.startswith(f"ValueError: row {bad.position} (")
        assert "test_rescue.py" in bad.message
    good = [n for n in range(rows) if n not in raises]
    assert list(output.columns.get("square", [])) == [n * n for n in good]
    assert output.splits == 0
    assert executor.runs <= 2 * rows


def test_one_bad_row_costs_few_runs() -> None:
    executor = Squares(frozenset({37}))
    rescued(executor, 64)
    assert executor.runs == 1 + 2 * 6


@given(st.integers(1, 64), st.integers(1, 64), st.booleans())
def test_a_batch_too_large_is_halved_until_it_fits(
    rows: int, room: int, late: bool
) -> None:
    executor = Squares(room=room, late=late)
    output = rescued(executor, rows)
    assert output.bad == []
    assert list(output.columns["square"]) == [n * n for n in range(rows)]
    assert (output.splits > 0) == (rows > room)
    assert len(executor.trims) == output.splits


def test_a_row_that_is_too_large_alone_is_e104() -> None:
    executor = Squares(room=0)
    with pytest.raises(OrchError, match="1 rows are too many") as caught:
        rescued(executor, 8)
    assert caught.value.fault.code is Code.OUT_OF_GPU_MEMORY
    assert executor.runs == 4, "the other rows would end in the same way"


@pytest.mark.parametrize("late", [False, True])
def test_what_the_failed_batch_held_is_gone_before_memory_is_trimmed(
    late: bool,
) -> None:
    executor = Squares(room=4, late=late)
    rescued(executor, 16)
    assert executor.trims == [True] * 3


def test_a_fault_of_ours_keeps_its_code() -> None:
    class Refusing(Squares):
        def launch(self, batch: Batch) -> Callable[[], Columns]:
            raise OrchError.of(Code.BAD_VALUE, f"{len(batch.rows)} too odd")

    executor = Refusing()
    assembly = Assembly(0, 2, 1)
    error = OrchError.of(Code.BAD_VALUE, "2 too odd")
    rescue(executor, Numbers(np.arange(2)), error, assembly)
    found = assembly.output(Held()).bad
    assert [(bad.code, bad.message) for bad in found] == [
        (Code.BAD_VALUE, "1 too odd")
    ] * 2
