from __future__ import annotations

import pytest

from orchestrator.lifecycle.machine import MAX_RESTARTS
from tests.lifecycle.told import Told, check

RUNNING = """
    planned 2               start 0; start 1              LOADING
    ready 0                 run 0                         RUNNING
    ready 1                 offer 1                       RUNNING
"""

STORIES = {
    "a job runs to its end": f"""
        no place                -                             PENDING
        refused                 -                             PENDING
        {RUNNING}
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "its own rows may fail it": f"""
        {RUNNING}
        ended E404              finish FAILED E404            FAILED
    """,
    "its files are spoiled while it waits": """
        gave up E204            finish FAILED E204            FAILED
    """,
    "one GPU does not start, the other goes on": """
        planned 2               start 0; start 1              LOADING
        failed 0 E102           drop 0                        LOADING
        ready 1                 run 1                         RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "no GPU starts: every cause is told": """
        planned 2               start 0; start 1              LOADING
        failed 1 E102           drop 1                        LOADING
        failed 0 E101           drop 0; finish FAILED E102 E101   FAILED
    """,
    "an engine that dies while it loads is started again, three times": """
        planned 1               start 0                       LOADING
        failed 0 E105           start 0                       LOADING
        failed 0 E105           start 0                       LOADING
        failed 0 E105           start 0                       LOADING
        failed 0 E105           drop 0; finish LOST E105      LOST
    """,
    "a model that loads nowhere is not tried twice": """
        planned 2               start 0; start 1              LOADING
        failed 0 E103 everywhere  drop 0; finish FAILED E103  FAILED
    """,
    "a fault of the job's own ends a job that runs already": """
        planned 2               start 0; start 1              LOADING
        ready 0                 run 0                         RUNNING
        failed 1 E103 everywhere  drop 1; stop force          STOPPING
        ended stopped           finish FAILED E103            FAILED
    """,
    "a replica that dies is started again": f"""
        {RUNNING}
        lost 0                  start 0                       RUNNING
        ready 0                 offer 0                       RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "a replica whose GPU is gone is let go": f"""
        {RUNNING}
        lost 0 gone             drop 0                        RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "the only replica dies and its GPU does not come back": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        lost 0                  start 0                       RUNNING
        failed 0 E102           drop 0; stop force            STOPPING
        ended stopped           finish FAILED E102            FAILED
    """,
    "all nodes are lost: the runner waits for the next place": f"""
        {RUNNING}
        lost 0 gone             drop 0                        RUNNING
        lost 1 gone             drop 1; find                  PENDING
        no place                -                             PENDING
        planned 1               start 0                       LOADING
        ready 0                 offer 0                       RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "its runner dies while it waits for the next place": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        lost 0 gone             drop 0; find                  PENDING
        runner lost             -                             PENDING
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
    """,
    "it is cancelled while it waits for the next place": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        lost 0 gone             drop 0; find                  PENDING
        cancel                  stop; grace 30                STOPPING
        ended stopped           finish CANCELLED              CANCELLED
    """,
    "its files are spoiled while it waits for the next place": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        lost 0 gone             drop 0; find                  PENDING
        gave up E204            stop force                    STOPPING
        ended stopped           finish FAILED E204            FAILED
    """,
    "the node goes while the only replica loads": """
        planned 1               start 0                       LOADING
        failed 0 E501           drop 0; find                  PENDING
    """,
    "nodes are lost so often and no more": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        lost 0 gone             drop 0; find                  PENDING
        planned 1               start 0                       LOADING
        failed 0 E501           drop 0; find                  PENDING
        planned 1               start 0                       LOADING
        ready 0                 offer 0                       RUNNING
        lost 0 gone             drop 0; find                  PENDING
        planned 1               start 0                       LOADING
        ready 0                 offer 0                       RUNNING
        lost 0 gone             drop 0; stop force            STOPPING
        ended stopped           finish LOST E501              LOST
    """,
    "a runner that dies is started again with all that is ready": f"""
        {RUNNING}
        runner lost             run 0,1                       RUNNING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "a runner dies when no replica is ready": """
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
        lost 0                  start 0                       RUNNING
        runner lost             -                             RUNNING
        ready 0                 run 0                         RUNNING
    """,
    "a new controller finds the job dead": f"""
        {RUNNING}
        restarted               drop 0; drop 1; find          PENDING
        planned 1               start 0                       LOADING
        ready 0                 run 0                         RUNNING
    """,
    "words of an earlier life come too late": """
        planned 2               start 0; start 1              LOADING
        restarted               drop 0; drop 1; find          PENDING
        ready 0                 -                             PENDING
        failed 1 E103 everywhere  -                           PENDING
        lost 0                  -                             PENDING
        runner lost             -                             PENDING
        ended                   -                             PENDING
        planned 1               start 0                       LOADING
        ready 1                 -                             LOADING
        lost 0                  -                             LOADING
        planned 2               -                             LOADING
        ready 0                 run 0                         RUNNING
        ready 0                 -                             RUNNING
        gave up E204            -                             RUNNING
    """,
    "nothing happens to a job that is over": f"""
        {RUNNING}
        ended                   finish SUCCEEDED              SUCCEEDED
        ready 0                 -                             SUCCEEDED
        lost 0                  -                             SUCCEEDED
        failed 1 E103 everywhere  -                           SUCCEEDED
        runner lost             -                             SUCCEEDED
        cancel force            -                             SUCCEEDED
        restarted               -                             SUCCEEDED
        planned 1               -                             SUCCEEDED
    """,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_story(story: str) -> None:
    check(story)


def test_a_replica_is_started_again_so_often_and_no_more() -> None:
    told = Told()
    for event in ("planned 2", "ready 0", "ready 1"):
        told.tell(event)
    for _ in range(MAX_RESTARTS):
        assert told.tell("lost 0") == ["start 0"]
        assert told.tell("ready 0") == ["offer 0"]
    assert told.tell("lost 0") == ["drop 0"]


def test_a_runner_is_started_again_so_often_and_no_more() -> None:
    told = Told()
    told.tell("planned 1")
    told.tell("ready 0")
    for _ in range(MAX_RESTARTS):
        assert told.tell("runner lost") == ["run 0"]
    assert told.tell("runner lost") == ["finish LOST E502"]


def test_the_story_is_kept() -> None:
    told = Told()
    for event in ("no place", "planned 1", "cancel", "planned 1"):
        told.tell(event)
    states = [str(step.state) for step in told.machine.story]
    assert states == ["PENDING", "LOADING", "CANCELLED", "CANCELLED"]
    assert [len(step.instructions) for step in told.machine.story] == [0, 1, 1, 0]
