from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run
from tests.client.fake_controller import FakeController

JOB_FILE = """\
version: 1
kind: batch
name: embed
model:
  id: all-MiniLM-L6-v2
input:
  path: rows.jsonl
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:  # noqa: ANN401
        """The data of the one JSON document on stdout."""
        return json.loads(self.out)["data"]


Orch = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a job file, rows and a state folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCH_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "embed.yaml").write_text(JOB_FILE)
    (tmp_path / "rows.jsonl").write_text('{"text": "hello"}\n')
    return tmp_path


@pytest.fixture(scope="package")
def server() -> Iterator[FakeController]:
    fake = FakeController()
    yield fake
    fake.close()


@pytest.fixture
def controller(server: FakeController, place: Path) -> FakeController:
    """A fake controller whose state folder is `place / "state"`."""
    server.reset()
    server.write_address(place / "state")
    return server


@pytest.fixture
def orch(capsys: pytest.CaptureFixture[str]) -> Orch:
    """Runs one command line in this process."""

    def run_line(*args: str) -> Outcome:
        code = run(args)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return run_line
