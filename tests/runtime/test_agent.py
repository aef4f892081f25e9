"""The node agent as a plain object: its zygote is a real process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from orchestrator.engines.link import EngineLink
from orchestrator.engines.messages import Load
from orchestrator.runtime.agent import Agent, _zygote_environment
from tests.engines.user_modules import spec_of


def called(method: object) -> Any:  # noqa: ANN401
    """What a method returns that Ray types as a remote one."""
    return cast("Callable[[], Any]", method)()


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    monkeypatch.setenv("ORCH_FAKE_GPUS", "2x8GiB")
    started = Agent("n1", "box")
    yield started
    started.__ray_shutdown__()
    started._zygote.wait(20)
    assert not started._folder.exists(), "the zygote takes the folder with it"


def test_it_reports_what_the_node_has(agent: Agent) -> None:
    assert [gpu.name for gpu in called(agent.report).gpus] == ["box:0", "box:1"]
    assert called(agent.pid) == os.getpid()


def test_a_dead_zygote_is_replaced(agent: Agent, tmp_path: Path) -> None:
    first = agent._zygote
    path = called(agent.zygote)
    assert called(agent.zygote) == path
    assert agent._zygote is first
    first.kill()
    first.wait(10)
    assert first.stdin is not None
    first.stdin.close()
    link = EngineLink(Path(called(agent.zygote)))
    assert agent._zygote is not first
    spec = spec_of("def forward(self, x): return x", tmp_path)
    link.load(Load(spec, {}, str(tmp_path / "log")))
    assert psutil.Process(link.pid).ppid() == agent._zygote.pid
    link.stop()
    assert link.gone.wait(10)


def test_the_zygote_is_not_kept_from_gpus_as_the_agent_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("ORCH_OTHER", "kept")
    environment = _zygote_environment()
    assert "CUDA_VISIBLE_DEVICES" not in environment
    assert environment["ORCH_OTHER"] == "kept"
    assert environment["PYTORCH_NVML_BASED_CUDA_CHECK"] == "1"
