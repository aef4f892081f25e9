from __future__ import annotations

import pytest

from orchestrator.lifecycle.machine import Rules
from orchestrator.spec.durations import Backoff
from orchestrator.spec.header import Retry
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
    "out of memory in every load: three other places, then the end": """
        planned 2               start 0; start 1              LOADING
        failed 0 E102           drop 0                        LOADING
        failed 1 E104           drop 1; later 2 0 FAILED E102 E104   PENDING
        due                     find                          PENDING
        planned 1               start 0                       LOADING
        failed 0 E104           drop 0; later 3 0 FAILED E104  PENDING
        due                     find                          PENDING
        planned 1               start 0                       LOADING
        failed 0 E104           drop 0; later 4 0 FAILED E104  PENDING
        due                     find                          PENDING
        planned 1               start 0                       LOADING
        failed 0 E104           drop 0; finish FAILED E104    FAILED
        retry                   find                          PENDING
        planned 1               start 0                       LOADING
        failed 0 E104           drop 0; later 6 0 FAILED E104  PENDING
    """,
    "out of memory on one GPU: the others go on": """
        planned 2               start 0; start 1              LOADING
        failed 0 E104           drop 0                        LOADING
        ready 1                 run 1                         RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "a row that is too large: all replicas have no more than one has": """
        planned 2               start 0; start 1              LOADING
        ready 0                 run 0                         RUNNING
        ready 1                 offer 1                       RUNNING
        lost 0 E104             drop 0; stop; grace 30        STOPPING
        lost 1 E104             drop 1                        STOPPING
        ended stopped           later 2 0 FAILED E104         PENDING
        due                     find                          PENDING
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "out of memory counts for itself, not as a retry": """
        planned 1               start 0                       LOADING
        failed 0 E104           drop 0; later 2 0 FAILED E104  PENDING
        due                     find                          PENDING
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        ended E501              drop 0; later 3 10 LOST E501          PENDING
        due                     find                          PENDING
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        ended E501              drop 0; later 4 15 LOST E501          PENDING
    """,
    "nobody asks again after a cancel": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        lost 0 E104             drop 0; stop; grace 30        STOPPING
        cancel                  -                             STOPPING
        ended stopped           finish FAILED E104            FAILED
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
