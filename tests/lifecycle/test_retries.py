from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lifecycle.causes import RETRY_WORDS, Cause
from orchestrator.lifecycle.machine import Rules
from orchestrator.lifecycle.retry import NEVER, next_attempt
from orchestrator.spec.header import Retry
from orchestrator.spec.values import Backoff
from tests.lifecycle.told import check

TWICE = Retry(
    max=2,
    on=("node_lost", "worker_died", "timeout"),
    exit_codes=(33,),
    backoff=Backoff(10, 15),
)

COMMANDS = {
    "a node is lost again and again": """
        planned                 command                       LOADING
        pid 7                   -                             RUNNING
        gone E501               later 2 10 LOST E501          PENDING
        due                     find                          PENDING
        planned                 command                       LOADING
        gone E502               later 3 15 LOST E502          PENDING
        due                     find                          PENDING
        planned                 command                       LOADING
        gone E501               finish LOST E501              LOST
        due                     -                             LOST
        retry                   find                          PENDING
        planned                 command                       LOADING
        gone E501               later 5 10 LOST E501          PENDING
    """,
    "an exit code that is worth another try, and one that is not": """
        planned                 command                       LOADING
        exit 33                 later 2 10 FAILED E402        PENDING
        due                     find                          PENDING
        planned                 command                       LOADING
        exit 34                 finish FAILED E402            FAILED
    """,
    "it ran too long": """
        planned                 command                       LOADING
        pid 7                   -                             RUNNING
        over run                term; grace 30                STOPPING
        exit 33                 later 2 10 TIMEOUT E403       PENDING
    """,
    "it did not start in time": """
        planned                 command                       LOADING
        over start              kill                          STOPPING
        killed                  later 2 10 FAILED E403        PENDING
    """,
    "it waited too long: it would do so again": """
        over queue              finish TIMEOUT E403           TIMEOUT
    """,
    "a cancel while it stops for its time limit: no other attempt": """
        planned                 command                       LOADING
        pid 7                   -                             RUNNING
        over run                term; grace 30                STOPPING
        cancel                  -                             STOPPING
        killed                  finish TIMEOUT E403           TIMEOUT
    """,
    "a cancel while it waits for its next attempt": """
        planned                 command                       LOADING
        gone E501               later 2 10 LOST E501          PENDING
        cancel                  finish CANCELLED              CANCELLED
        due                     -                             CANCELLED
    """,
    "a cancelled job may be tried again, and then is not cancelled": """
        cancel                  finish CANCELLED              CANCELLED
        retry                   find                          PENDING
        planned                 command                       LOADING
        gone E501               later 3 10 LOST E501          PENDING
    """,
    "words of an earlier attempt come too late": """
        planned                 command                       LOADING
        gone E501               later 2 10 LOST E501          PENDING
        pid 7 @1                -                             PENDING
        exit 0 @1               -                             PENDING
        due @1                  -                             PENDING
        due                     find                          PENDING
        due                     -                             PENDING
        planned                 command                       LOADING
        exit 0 @1               -                             LOADING
        gone E501 @1            -                             LOADING
        over start @1           -                             LOADING
        pid 8                   -                             RUNNING
        retry                   -                             RUNNING
        exit 0 @1               -                             RUNNING
        exit 0                  finish SUCCEEDED              SUCCEEDED
    """,
    "a new controller does not hurry the next attempt": """
        planned                 command                       LOADING
        gone E501               later 2 10 LOST E501          PENDING
        restarted               -                             PENDING
        due                     find                          PENDING
        restarted               find                          PENDING
    """,
    "a retry of a job that waits, or runs, is none": """
        retry                   -                             PENDING
        planned                 command                       LOADING
        retry scratch           -                             LOADING
        gone E204               finish FAILED E204            FAILED
        retry scratch           find                          PENDING
    """,
    "what was skipped may be asked for again": """
        after 41 FAILED         finish SKIPPED                SKIPPED
        retry                   find                          PENDING
        after 41 FAILED         finish SKIPPED                SKIPPED
    """,
}

BATCHES = {
    "its GPU's engine dies over and over": """
        planned 2               start 0; start 1              LOADING
        failed 1 E103           drop 1                        LOADING
        ready 0                 run 0                         RUNNING
        lost 0 gone             drop 0; find                  PENDING
        planned 2               start 0; start 1              LOADING
        ready 0                 offer 0                       RUNNING
        runner lost             run 0                         RUNNING
        runner lost             run 0                         RUNNING
        runner lost             run 0                         RUNNING
        runner lost             drop 0; drop 1; later 2 10 LOST E502   PENDING
        ready 1                 -                             PENDING
        ended                   -                             PENDING
        due                     find                          PENDING
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "it starts nowhere: only what is held is let go": """
        planned 2               start 0; start 1              LOADING
        failed 0 E102           drop 0                        LOADING
        failed 1 E102           drop 1; later 2 10 FAILED E102 E102   PENDING
    """,
    "out of memory on one GPU is not tried again though the other was lost": """
        planned 2               start 0; start 1              LOADING
        failed 0 E102           drop 0                        LOADING
        failed 1 E104           drop 1; finish FAILED E102 E104   FAILED
    """,
    "never with a model that does not load": """
        planned 1               start 0                       LOADING
        failed 0 E103 everywhere  drop 0; finish FAILED E103  FAILED
    """,
    "never for its rows": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        ended E404              finish FAILED E404            FAILED
    """,
    "it ran too long: its GPUs are free between its attempts": """
        planned 2               start 0; start 1              LOADING
        ready 0                 run 0                         RUNNING
        over run                stop; grace 30                STOPPING
        lost 0                  drop 0                        STOPPING
        grace over              stop force                    STOPPING
        ended stopped           drop 1; later 2 10 TIMEOUT E403   PENDING
    """,
    "it ran too long, but its last row was just done": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        over run                stop; grace 30                STOPPING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "its models did not load in time": """
        planned 1               start 0                       LOADING
        over start              drop 0; later 2 10 FAILED E403   PENDING
    """,
    "a new controller finds it stopping for its time limit": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        over run                stop; grace 30                STOPPING
        restarted               drop 0; later 2 10 TIMEOUT E403   PENDING
    """,
    "commands are not its business": """
        planned 1               start 0                       LOADING
        pid 7                   -                             LOADING
        exit 0                  -                             LOADING
        gone E501               -                             LOADING
    """,
}


@pytest.mark.parametrize("story", COMMANDS.values(), ids=COMMANDS.keys())
def test_story_of_a_command(story: str) -> None:
    check(story, Rules("command", TWICE))


@pytest.mark.parametrize("story", BATCHES.values(), ids=BATCHES.keys())
def test_story_of_a_batch(story: str) -> None:
    check(story, Rules("batch", TWICE))


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
