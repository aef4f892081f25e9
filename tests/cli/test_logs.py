from __future__ import annotations

import pytest

from orchestrator.cli.main import run
from tests.cli.conftest import Orch
from tests.client import documents
from tests.client.fake_controller import FakeController


@pytest.fixture
def logs(controller: FakeController) -> FakeController:
    """Job 7: two attempts, the second with two ranks; it has failed."""
    controller.add(7, documents.command(7, "FAILED", attempt=2))
    controller.logs.write(7, b"old one\nold two\n", attempt=1)
    controller.logs.write(7, b"one\ntwo\n\xff three", attempt=2)
    controller.logs.write(7, b"other\n", attempt=2, rank=1)
    return controller


@pytest.mark.usefixtures("logs")
@pytest.mark.parametrize(
    ("options", "out"),
    [
        ((), "[0] one\n[0] two\n[0] \N{REPLACEMENT CHARACTER} three\n[1] other\n"),
        (("-r", "1"), "other\n"),
        (("--attempt", "1"), "old one\nold two\n"),
        (("--attempt", "1", "--tail", "1"), "old two\n"),
        (("--grep", "^tw|three"), "[0] two\n[0] \N{REPLACEMENT CHARACTER} three\n"),
        (("-r", "0", "--tail", "2"), "two\n\N{REPLACEMENT CHARACTER} three\n"),
    ],
)
def test_what_is_printed(orch: Orch, options: tuple[str, ...], out: str) -> None:
    done = orch("logs", "7", *options)
    assert (done.code, done.out) == (0, out)
    assert ("--tail 0 for all" in done.err) == ("--tail" in options)


@pytest.mark.usefixtures("logs")
def test_an_attempt_can_be_part_of_the_name(orch: Orch) -> None:
    assert orch("logs", "7#1").out == "old one\nold two\n"
    missing = orch("logs", "7#3")
    assert (missing.code, missing.out) == (6, "")
    assert "job 7 has no attempt 3" in missing.err


@pytest.mark.usefixtures("logs")
def test_raw_is_what_was_written(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:

    assert run(("logs", "7", "-r", "0", "--raw")) == 0
    assert capfdbinary.readouterr().out == b"one\ntwo\n\xff three"


@pytest.mark.usefixtures("logs")
def test_following_what_has_ended_ends_with_its_outcome(orch: Orch) -> None:
    done = orch("logs", "-f", "7", "-r", "0")
    assert (done.code, done.out) == (1, "one\ntwo\n\N{REPLACEMENT CHARACTER} three\n")
    assert done.err == "✗ Job 7 failed after 4m21s · exit 3\n"


def test_a_broken_connection_loses_nothing(
    orch: Orch, controller: FakeController
) -> None:
    controller.add(
        8, documents.command(8, "RUNNING"), documents.command(8, "SUCCEEDED")
    )
    controller.logs.write(8, b"first\n", ended=False)
    controller.logs.write(8, b"second\n")
    controller.logs.broken = 2
    done = orch("logs", "-f", "8")
    assert (done.code, done.out) == (0, "first\nsecond\n")


def test_the_end_of_a_log_is_not_the_end_of_its_job(
    orch: Orch, controller: FakeController
) -> None:
    views = [
        documents.command(9, "RUNNING"),
        documents.command(9, "PENDING", attempt=2),
        documents.command(9, "RUNNING", attempt=2),
        documents.command(9, "SUCCEEDED", attempt=2),
    ]
    controller.add(9, *views)
    controller.logs.write(9, b"first\n", attempt=1)
    controller.logs.write(9, b"second\n", attempt=2)
    done = orch("logs", "-f", "9")
    assert (done.code, done.out) == (0, "first\nsecond\n")


def test_a_job_without_a_log_says_so(orch: Orch, controller: FakeController) -> None:
    controller.add(10, documents.command(10, "PENDING"))
    done = orch("logs", "10")
    assert (done.code, done.out) == (6, "")
    assert "job 10 has no logs of attempt 1" in done.err
