from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.fake_controller import FakeController


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[FakeController]:
    """A fake controller whose state folder is `tmp_path / "state"`."""
    fake = FakeController()
    fake.write_address(tmp_path / "state")
    yield fake
    fake.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"
