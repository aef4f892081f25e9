from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.client.address import unreachable
from orchestrator.client.views import JobView
from orchestrator.client.watch import patiently, watch
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from tests.client import documents


class Answers:
    """A client that gives these answers in turn."""

    def __init__(self, *answers: JobView | OrchError) -> None:
        self._answers: Iterator[JobView | OrchError] = iter(answers)
        self.reconnects = 0

    def job(
        self, key: JobKey | int, *, after: int | None = None, wait_s: float = 0
    ) -> JobView:
        del key, after, wait_s
        answer = next(self._answers)
        if isinstance(answer, OrchError):
            raise answer
        return answer

    def reconnect(self) -> None:
        self.reconnects += 1
        raise unreachable("there", "is still away")


def _view(state: str, version: int) -> JobView:
    return JobView.from_json({**documents.job(state=state), "version": version})


def test_a_dropped_connection_is_not_the_jobs_end() -> None:
    gone = unreachable("there", "is away")
    running, done = _view("RUNNING", 1), _view("SUCCEEDED", 2)
    client = Answers(running, gone, gone, done)
    assert list(watch(client, 42)) == [running, done]
    assert client.reconnects == 2


def test_an_answer_that_ran_out_of_time_is_not_a_change() -> None:
    running, done = _view("RUNNING", 1), _view("SUCCEEDED", 2)
    assert list(watch(Answers(running, running, done), 42)) == [running, done]


def test_patience_ends() -> None:
    gone = unreachable("there", "is away")
    with pytest.raises(OrchError) as error:
        list(watch(Answers(_view("RUNNING", 1), gone), 42, patience_s=0))
    assert error.value.fault.code is Code.CONTROLLER_UNREACHABLE


def test_other_errors_are_not_waited_out() -> None:
    error = OrchError.of(Code.NO_SUCH_JOB, "gone for good")
    with pytest.raises(OrchError, match="gone for good"):
        list(watch(Answers(error), 42))


def test_who_is_said_to_come_back_is_waited_for() -> None:
    lost, done = OrchError.of(Code.NODE_LOST, "silent"), _view("SUCCEEDED", 2)
    client = Answers(lost, done)
    gone = (Code.CONTROLLER_UNREACHABLE, Code.NODE_LOST)
    assert patiently(client, lambda _first: client.job(42), 5.0, gone) == done
