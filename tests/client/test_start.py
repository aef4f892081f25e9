from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.client.client import Client, plan_from_json
from orchestrator.client.start import STARTING, connect_or_start, plan_alone, stop
from orchestrator.errors import Code, OrchError
from orchestrator.scheduling.plan import Plan
from tests.client.fake_controller import FakeController

PROGRAMS = "tests.client.programs"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _programs_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Path]:
    """A state folder whose controller, if one is started, goes with the test."""
    folder = tmp_path / "state"
    yield folder
    stop(folder, lambda _line: None, package=PROGRAMS)


def test_one_that_runs_is_used(controller: FakeController, folder: Path) -> None:
    said: list[str] = []
    with connect_or_start(folder, said.append, package=PROGRAMS) as client:
        assert client.url == controller.url
    assert said == []


def test_two_first_commands_start_one_controller(empty: Path) -> None:
    said: list[str] = []
    urls: list[str] = []

    def first_command() -> None:
        with connect_or_start(empty, said.append, package=PROGRAMS) as client:
            urls.append(client.url)

    threads = [threading.Thread(target=first_command) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(urls) == 2
    assert len(set(urls)) == 1
    assert said == [STARTING, "starting Ray ..."]
    assert (empty / "starts").read_text() == "start\n"


def test_the_starters_faults_are_raised(empty: Path) -> None:
    with pytest.raises(OrchError, match="the driver does not answer") as error:
        connect_or_start(empty, lambda _line: None, ["--fail"], package=PROGRAMS)
    assert error.value.fault.code is Code.GPU_FAILED_TO_INITIALISE


def test_a_starter_that_names_no_fault_leaves_its_last_words(empty: Path) -> None:
    with pytest.raises(OrchError) as error:
        connect_or_start(empty, lambda _line: None, ["--crash"], package=PROGRAMS)
    assert error.value.fault.code is Code.CONTROLLER_UNREACHABLE
    assert error.value.fault.facts == ("Ray said something odd",)


def test_stop_says_what_it_stopped_and_can_be_repeated(empty: Path) -> None:
    def stopped() -> list[str]:
        return stop(empty, lambda _line: None, package=PROGRAMS)

    assert stopped() == []
    connect_or_start(empty, lambda _line: None, package=PROGRAMS).close()
    assert stopped() == ["the controller"]
    assert stopped() == []
    with pytest.raises(OrchError):
        Client.connect(empty)


def test_a_plan_without_a_controller_comes_from_the_program(tmp_path: Path) -> None:
    body = {"spec": {"name": "mine"}}
    answer = plan_alone(tmp_path, body, lambda _line: None, package=PROGRAMS)
    plan = plan_from_json(answer)
    assert isinstance(plan, Plan)
    assert plan.reason == "mine"
