from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.client.client import Client
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.lifecycle.states import State
from tests.client import documents
from tests.client.fake_controller import FakeController


def _code(error: pytest.ExceptionInfo[OrchError]) -> Code:
    return error.value.fault.code


def test_connect_reads_the_address_and_the_token(
    controller: FakeController, folder: Path
) -> None:
    with Client.connect(folder) as client:
        assert client.url == controller.url
        assert client.health().nodes == ("local",)


def test_no_controller_is_e302_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(OrchError) as error:
        Client.connect(tmp_path)
    assert _code(error) is Code.CONTROLLER_UNREACHABLE
    assert error.value.fault.fix == "orch up"


def test_a_controller_that_has_gone_is_e302(tmp_path: Path) -> None:
    fake = FakeController()
    fake.write_address(tmp_path)
    fake.close()
    with pytest.raises(OrchError) as error:
        Client.connect(tmp_path)
    assert _code(error) is Code.CONTROLLER_UNREACHABLE


@pytest.mark.parametrize("written", ["", "{", "[]", '{"url": "http://127.0.0.1:1"}'])
def test_a_damaged_address_is_e302(tmp_path: Path, written: str) -> None:
    (tmp_path / "controller.json").write_text(written)
    (tmp_path / "token").write_text("t")
    with pytest.raises(OrchError) as error:
        Client.connect(tmp_path)
    assert _code(error) is Code.CONTROLLER_UNREACHABLE


@pytest.mark.usefixtures("controller")
def test_a_wrong_token_is_e303(folder: Path) -> None:
    (folder / "token").write_text("other")
    with pytest.raises(OrchError) as error:
        Client.connect(folder)
    assert _code(error) is Code.NOT_ALLOWED


def test_the_controllers_faults_arrive_whole(
    controller: FakeController, folder: Path
) -> None:
    fault = Fault(Code.NOT_ENOUGH_GPU_MEMORY, "too big", ("needs 90 GiB",), "smaller")
    controller.refuse = documents.faults(fault)
    with Client(folder) as client, pytest.raises(OrchError) as error:
        client.submit({})
    assert error.value.faults == (fault,)


@pytest.mark.usefixtures("controller")
def test_no_such_job_is_e301(folder: Path) -> None:
    with Client(folder) as client, pytest.raises(OrchError) as error:
        client.job(1)
    assert _code(error) is Code.NO_SUCH_JOB


def test_a_job_arrives_as_it_was_sent(controller: FakeController, folder: Path) -> None:
    sent = documents.job(
        state="LOADING",
        plan=documents.plan(0, 1).to_json(),
        diagnosis=documents.diagnosis(ever=True).to_json(),
        replicas=documents.replicas("loading"),
    )
    controller.add(42, {**sent, "added_by_a_newer_controller": 1})
    with Client(folder) as client:
        job = client.job(42)
    assert (job.state, job.progress.rows_ok) == (State.LOADING, 4208)
    assert job.plan == documents.plan(0, 1)
    assert job.diagnosis == documents.diagnosis(ever=True)
    assert job.document["added_by_a_newer_controller"] == 1


def test_gpus_with_their_reservations(controller: FakeController, folder: Path) -> None:
    gpu, held = documents.gpu(0), documents.reservation(0, "idle MiniLM", idle=True)
    answer = documents.gpus((gpu,), (held,))
    answer["reservations"][0]["keeps_seconds"] = 100.0
    controller.gpus = answer
    with Client(folder) as client:
        view = client.gpus()
    assert (view.gpus, view.reservations) == ((gpu,), (held,))
    assert view.keeps_seconds == {"e0": 100.0}


def test_watch_tells_each_change_once_to_the_end(
    controller: FakeController, folder: Path
) -> None:
    states = ["PENDING", "LOADING", "RUNNING", "SUCCEEDED"]
    controller.add(42, *(documents.job(state=state) for state in states))
    with Client(folder) as client:
        assert [job.state for job in client.watch(42)] == states


def test_watch_goes_on_with_a_controller_that_was_restarted(folder: Path) -> None:
    controller = FakeController()
    controller.write_address(folder)
    controller.add(42, documents.job(state="PENDING"))
    with Client(folder) as client:
        views = client.watch(42)
        assert next(views).state is State.PENDING
        successor = FakeController()
        successor.add(42, documents.job(state="PENDING"), documents.job(state="FAILED"))
        successor.write_address(folder)
        controller.close()
        assert [job.state for job in views] == ["FAILED"]
        successor.close()


def test_cancel_is_idempotent(controller: FakeController, folder: Path) -> None:
    controller.add(42, documents.job(state="RUNNING"))
    with Client(folder) as client:
        first, second = (client.cancel(42, force=False) for _ in range(2))
    assert first.state is second.state is State.CANCELLED
    assert json.dumps(first.document) == json.dumps(second.document)
