from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.fake_controller import FakeController


@pytest.fixture(scope="package")
def server() -> Iterator[FakeController]:
    fake = FakeController()
    yield fake
    fake.close()


@pytest.fixture
def controller(server: FakeController, tmp_path: Path) -> FakeController:
    """A fake controller whose state folder is `tmp_path / "state"`."""
    server.reset()
    server.write_address(tmp_path / "state")
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"
