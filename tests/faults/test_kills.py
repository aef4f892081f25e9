"""Random SIGKILLs during a mixed load: nothing lost, nothing twice, nothing left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.census import Census
from tests.faults.head import running_head
from tests.faults.waves import ABREAST, Waves

pytestmark = pytest.mark.ray

RUNS = 50


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waves]:
    with running_head(tmp_path_factory.mktemp("faults")) as head:
        census = Census(head)
        yield Waves(head, census)
        census.close()


@pytest.mark.parametrize("first", range(0, RUNS, ABREAST))
def test_nothing_is_lost_or_done_twice(waves: Waves, first: int) -> None:
    _lines, broken = waves.play(range(first, first + ABREAST))
    assert not broken, "\n".join(broken)
