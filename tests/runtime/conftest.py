from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.runtime.head import Head
from tests.runtime.ray_heads import start_in_child

HEAD_GPUS = 4


@pytest.fixture(scope="package")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of `head`."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="package")
def head(state: Path) -> Iterator[Head]:
    """One Ray for all tests of this folder; its four GPUs are only numbers."""
    started = start_in_child(state, gpus=HEAD_GPUS)
    yield started
    started.stop()
    shutil.rmtree(started.temp)
