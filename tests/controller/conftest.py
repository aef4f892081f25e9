from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller.plant import Generations, Plant, close, plant


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Plant]:
    """A controller over two GPUs of 24 GiB."""
    with plant(tmp_path, 24, 24) as built:
        yield built


@pytest.fixture
def generations(tmp_path: Path) -> Iterator[Generations]:
    built = Generations(tmp_path)
    try:
        yield built
        close(built.plant)
    finally:
        built.plant.die()
