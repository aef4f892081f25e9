from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lifecycle.causes import RETRY_WORDS, Cause
from orchestrator.lifecycle.retry import NEVER, next_attempt
from orchestrator.spec.durations import Backoff
from orchestrator.spec.header import Retry


@pytest.mark.parametrize(
    ("on", "cause", "again"),
    [
        (("node_lost",), Cause.NODE_LOST, True),
        (("node_lost",), Cause.WORKER_DIED, False),
        (("worker_died",), Cause.WORKER_DIED, True),
        (("worker_died",), Cause.GPU_FAILED, True),
        (("error",), Cause.ERROR, True),
        (("error",), Cause.EXIT_NONZERO, True),
        (("timeout",), Cause.TIMEOUT, True),
        (("timeout",), Cause.START_TIMEOUT, True),
        (("timeout",), Cause.QUEUE_TIMEOUT, False),
        ((), Cause.NODE_LOST, False),
    ],
)
def test_on(on: tuple[str, ...], cause: Cause, again: bool) -> None:
    retry = Retry.model_validate({"on": on})
    assert (next_attempt(retry, cause, None, 1) is not None) == again


@pytest.mark.parametrize("cause", sorted(set(Cause) - set(RETRY_WORDS)))
def test_no_word_asks_for_the_others(cause: Cause) -> None:
    every = Retry(on=("node_lost", "worker_died", "error", "timeout"), max=9)
    assert next_attempt(every, cause, None, 1) is None


def test_an_exit_code_counts_whatever_the_cause_but_never_the_hopeless() -> None:
    retry = Retry(on=(), exit_codes=(33,))
    assert next_attempt(retry, Cause.EXIT_NONZERO, 33, 1) == 10
    assert next_attempt(retry, Cause.EXIT_NONZERO, 34, 1) is None
    for cause in NEVER:
        assert next_attempt(retry, cause, 33, 1) is None


@pytest.mark.parametrize(
    ("first_s", "most_s", "waits"),
    [
        # 10, 20, 40, 80, then 160 > 100
        (10, 100, [10, 20, 40, 80, 100, 100]),
        (0, 100, [0, 0, 0, 0, 0, 0]),
        (7, 7, [7, 7, 7, 7, 7, 7]),
    ],
)
def test_the_wait_doubles(first_s: float, most_s: float, waits: list[float]) -> None:
    retry = Retry(max=6, backoff=Backoff(first_s, most_s))
    asked = [next_attempt(retry, Cause.NODE_LOST, None, n) for n in range(1, 8)]
    assert asked == [*waits, None]


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.integers(0, 100), st.integers(1, 10**6))
def test_the_wait_stays_between_its_ends(
    one_s: float, other_s: float, most: int, attempt: int
) -> None:
    ends = Backoff(min(one_s, other_s), max(one_s, other_s))
    retry = Retry(max=most, backoff=ends)
    wait_s = next_attempt(retry, Cause.NODE_LOST, None, attempt)
    assert (wait_s is None) == (attempt > most)
    if wait_s is not None:
        assert ends.first_s <= wait_s <= ends.most_s
