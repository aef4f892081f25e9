"""Commands, arrays, several jobs at once, and the options that change a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import Code, Fault
from tests.cli.conftest import Orch
from tests.client import documents
from tests.client.fake_controller import FakeController

COMMAND = "version: 1\nkind: command\nrun: echo hello\n"


@pytest.fixture(autouse=True)
def command_file(place: Path) -> Path:
    (place / "work").mkdir()
    path = place / "work" / "hello.yaml"
    path.write_text(COMMAND)
    return path


def _specs(controller: FakeController) -> list[Any]:
    return [request["spec"] for request in controller.asked("/v1/jobs") if request]


def test_a_commands_log_is_what_submit_prints(
    orch: Orch, controller: FakeController
) -> None:
    controller.script = [
        documents.command(state="PENDING"),
        documents.command(state="RUNNING"),
        documents.command(state="SUCCEEDED"),
    ]
    controller.logs.write(42, b"hello\n", ended=False)
    controller.logs.write(42, b"no newline")
    done = orch("submit", "work/hello.yaml")
    assert (done.code, done.out) == (0, "hello\nno newline")
    assert done.err.splitlines() == [
        "work/hello.yaml  command  echo hello",
        "Job 42 'hello' submitted · Ctrl-C detaches; the job keeps running",
        "✓ Job 42 succeeded in 4m21s",
    ]


def test_a_second_attempts_log_follows_the_first(
    orch: Orch, controller: FakeController
) -> None:
    lost = {
        "attempt": 1,
        "state": "LOST",
        "cause": "node_lost",
        "started_at": "2026-01-02T03:04:05Z",
        "finished_at": "2026-01-02T03:04:15Z",
        "text": "node a went away",
    }
    again: dict[str, Any] = {"attempt": 2, "attempts": [lost]}
    controller.script = [
        documents.command(state="RUNNING"),
        documents.command(state="PENDING", **again),
        documents.command(state="FAILED", **again),
    ]
    controller.logs.write(42, b"first\n", attempt=1)
    controller.logs.write(42, b"second\n", attempt=2)
    done = orch("submit", "work/hello.yaml")
    assert (done.code, done.out) == (1, "first\nsecond\n")
    assert "attempt 1 LOST after 10 s: node a went away; attempt 2 next" in done.err
    assert "✗ Job 42 failed after 4m21s · exit 3" in done.err
    assert "orch explain 42" in done.err


def test_a_job_that_never_ran_has_no_log(
    orch: Orch, controller: FakeController
) -> None:
    controller.script = [
        documents.command(state="PENDING"),
        documents.command(state="SKIPPED", cause="dependency"),
    ]
    done = orch("submit", "work/hello.yaml")
    assert (done.code, done.out) == (1, "")
    assert "Job 42 was skipped after 4m21s" in done.err


@pytest.mark.parametrize(
    ("state", "cause", "code"),
    [
        ("TIMEOUT", "timeout", 9),
        ("TIMEOUT", "queue_timeout", 4),
        ("LOST", "node_lost", 10),
        ("CANCELLED", "cancelled", 7),
    ],
)
def test_each_end_has_its_exit_code(
    orch: Orch, controller: FakeController, state: str, cause: str, code: int
) -> None:
    fault = Fault(Code.TIME_LIMIT, "over").to_json() if state == "TIMEOUT" else None
    end = documents.command(
        state=state, cause=cause, started_at=None, faults=[fault] if fault else []
    )
    controller.script = [end]
    assert orch("submit", "work/hello.yaml").code == code
    assert orch("wait", "42").code == code
    assert orch("status", "42", "--exit-code").code == code


def test_an_array_is_followed_by_its_tasks(
    orch: Orch, controller: FakeController
) -> None:
    counts = documents.tasks(SUCCEEDED=3, FAILED=1)
    controller.script = [
        documents.command(state="RUNNING", tasks=documents.tasks(RUNNING=4)),
        documents.command(state="FAILED", tasks=counts),
    ]
    done = orch("submit", "work/hello.yaml", "--array", "0-3%2")
    assert (done.code, done.out) == (1, "")
    assert "✗ Job 42 failed after 4m21s · 4/4 tasks, 1 failed" in done.err
    assert "orch status 42 -s failed" in done.err
    (spec,) = _specs(controller)
    assert spec["array"]["max_parallel"] == 2


def test_options_are_settings(
    orch: Orch, controller: FakeController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_HERE", "there")
    options = (
        "--priority",
        "7",
        "--timeout",
        "2h",
        "--after",
        "40:any",
        "--after",
        "41",
    )
    more = ("--env", "A=b=c", "--env", "FROM_HERE", "--wait-start", "0", "-n", "other")
    done = orch("submit", "-d", "work/hello.yaml", *options, *more)
    assert (done.code, done.out) == (0, "42\n")
    (request,) = controller.asked("/v1/jobs")
    spec = request["spec"]
    assert (spec["name"], spec["priority"], spec["timeout"]["run"]) == (
        "other",
        7,
        "7200s",
    )
    assert spec["after"] == [{"job": 40, "when": "any"}, {"job": 41, "when": "ok"}]
    assert request["env"] == {"A": "b=c", "FROM_HERE": "there"}
    assert request["wait_start_s"] == 0


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--env", "1A=2"), "write it like NAME=VALUE"),
        (("--array", "%3"), "write it like 0-31 or 0-31%4"),
        (("--wait-start", "soon"), "not a duration"),
        (("--env", "NOT_SET_HERE"), "NOT_SET_HERE"),
        (("--priority", "1000"), "priority"),
    ],
)
def test_a_wrong_option_exits_2(orch: Orch, option: tuple[str, str], said: str) -> None:
    done = orch("submit", "work/hello.yaml", *option)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_jobs_of_several_documents_come_in_order(
    orch: Orch, controller: FakeController, command_file: Path
) -> None:
    second = COMMAND + "name: second\nafter: [first]\n"
    command_file.write_text(f"{second}---\n{COMMAND}name: first\n")
    done = orch("submit", "work/hello.yaml", "embed.yaml")
    assert (done.code, sorted(done.out.split())) == (0, ["42", "43", "44"])
    after = {spec["name"]: spec["after"] for spec in _specs(controller)}
    names = [spec["name"] for spec in _specs(controller)]
    assert after["second"] == [{"job": 42 + names.index("first"), "when": "ok"}]


def test_the_working_directory_travels_once(
    orch: Orch, controller: FakeController
) -> None:
    for _ in range(2):
        assert orch("submit", "-d", "work/hello.yaml").code == 0
    first, second = (request["snapshot"] for request in controller.asked("/v1/jobs"))
    assert first == second
    assert list(controller.snapshots) == [first]
    puts = [method for method, _path, _body in controller.requests if method == "PUT"]
    assert puts == ["PUT"]
