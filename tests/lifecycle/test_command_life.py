from __future__ import annotations

import pytest

from orchestrator.lifecycle.causes import Cause
from tests.lifecycle.told import COMMAND, Told, check

RUNNING = """
    planned                 command                       LOADING
    pid 7                   -                             RUNNING
"""

STORIES = {
    "a command runs to its end": f"""
        no place                -                             PENDING
        refused                 -                             PENDING
        {RUNNING}
        exit 0                  finish SUCCEEDED              SUCCEEDED
    """,
    "it is over before anybody heard of its start": """
        planned                 command                       LOADING
        exit 0                  finish SUCCEEDED              SUCCEEDED
        pid 7                   -                             SUCCEEDED
    """,
    "it fails": f"""
        {RUNNING}
        exit 3                  finish FAILED E402            FAILED
    """,
    "somebody kills it": f"""
        {RUNNING}
        killed                  finish FAILED E402            FAILED
    """,
    "its node is lost": f"""
        {RUNNING}
        gone E501               finish LOST E501              LOST
    """,
    "its node is lost before it started": """
        planned                 command                       LOADING
        gone E501               finish LOST E501              LOST
    """,
    "it cannot be started": """
        planned                 command                       LOADING
        gone E204               finish FAILED E204            FAILED
    """,
    "its files are spoiled while it waits": """
        gave up E204            finish FAILED E204            FAILED
    """,
    "cancelled while it waits": """
        cancel                  finish CANCELLED              CANCELLED
    """,
    "cancelled while it starts: told again once it can hear": """
        planned                 command                       LOADING
        cancel                  term; grace 30                STOPPING
        pid 7                   term; grace 30                STOPPING
        killed                  finish CANCELLED              CANCELLED
    """,
    "cancelled, and it does not care": f"""
        {RUNNING}
        cancel 5                term; grace 5                 STOPPING
        grace over              kill                          STOPPING
        killed                  finish CANCELLED              CANCELLED
    """,
    "cancelled by force": f"""
        {RUNNING}
        cancel force            kill                          STOPPING
        grace over              -                             STOPPING
        killed                  finish CANCELLED              CANCELLED
    """,
    "killed before it started: killed again": """
        planned                 command                       LOADING
        cancel force            kill                          STOPPING
        pid 7                   kill                          STOPPING
        killed                  finish CANCELLED              CANCELLED
    """,
    "cancelled, and it ends in good order: it did not do all it had to": f"""
        {RUNNING}
        cancel                  term; grace 30                STOPPING
        exit 0                  finish CANCELLED              CANCELLED
    """,
    "cancelled, and its node is lost": f"""
        {RUNNING}
        cancel                  term; grace 30                STOPPING
        gone E501               finish CANCELLED              CANCELLED
    """,
    "it ran too long": f"""
        {RUNNING}
        over queue              -                             RUNNING
        over start              -                             RUNNING
        over run                term; grace 30                STOPPING
        over run                -                             STOPPING
        killed                  finish TIMEOUT E403           TIMEOUT
    """,
    "it ran too long, then somebody cancels it: it was too long": f"""
        {RUNNING}
        over run                term; grace 30                STOPPING
        cancel                  -                             STOPPING
        killed                  finish TIMEOUT E403           TIMEOUT
    """,
    "it waited too long": """
        over run                -                             PENDING
        over queue              finish TIMEOUT E403           TIMEOUT
    """,
    "it did not start in time": """
        planned                 command                       LOADING
        over queue              -                             LOADING
        over start              kill                          STOPPING
        killed                  finish FAILED E403            FAILED
    """,
    "what it waited for failed": """
        after 41 FAILED         finish SKIPPED                SKIPPED
    """,
    "what it waited for is retried and fails while it runs": f"""
        {RUNNING}
        after 41 FAILED         -                             RUNNING
    """,
    "a new controller asks its node again": f"""
        {RUNNING}
        restarted               command                       RUNNING
        pid 7                   -                             RUNNING
        exit 0                  finish SUCCEEDED              SUCCEEDED
    """,
    "a new controller starts what was being started": """
        planned                 command                       LOADING
        restarted               command                       LOADING
        pid 8                   -                             RUNNING
    """,
    "a new controller finds it waiting": """
        restarted               find                          PENDING
    """,
    "a new controller goes on stopping it": f"""
        {RUNNING}
        cancel                  term; grace 30                STOPPING
        restarted               term; grace 30                STOPPING
        grace over              kill                          STOPPING
        restarted               kill                          STOPPING
        gone E502               finish CANCELLED              CANCELLED
    """,
    "words of another attempt, or of replicas, are not for it": f"""
        pid 7                   -                             PENDING
        exit 0                  -                             PENDING
        {RUNNING}
        planned                 -                             RUNNING
        exit 0 @2               -                             RUNNING
        over run @2             -                             RUNNING
        due                     -                             RUNNING
        ready 0                 -                             RUNNING
        ended E404              -                             RUNNING
        runner lost             -                             RUNNING
    """,
    "nothing happens to a job that is over, but a retry": f"""
        {RUNNING}
        exit 0                  finish SUCCEEDED              SUCCEEDED
        exit 3                  -                             SUCCEEDED
        gone E501               -                             SUCCEEDED
        cancel force            -                             SUCCEEDED
        over run                -                             SUCCEEDED
        restarted               -                             SUCCEEDED
        after 41 FAILED         -                             SUCCEEDED
        retry                   find                          PENDING
    """,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_story(story: str) -> None:
    check(story, COMMAND)


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ("planned, exit 0", None),
        ("planned, exit 3", Cause.EXIT_NONZERO),
        ("planned, killed", Cause.EXIT_NONZERO),
        ("planned, gone E501", Cause.NODE_LOST),
        ("planned, gone E502", Cause.WORKER_DIED),
        ("planned, gone E203", Cause.CONFIG_ERROR),
        ("planned, cancel, exit 1", Cause.CANCELLED),
        ("planned, pid 7, over run, exit 1", Cause.TIMEOUT),
        ("planned, over start, killed", Cause.START_TIMEOUT),
        ("over queue", Cause.QUEUE_TIMEOUT),
        ("after 41 LOST", Cause.DEPENDENCY),
    ],
)
def test_why_it_ended(events: str, why: Cause | None) -> None:
    told = Told()
    told.machine.rules = COMMAND
    for event in events.split(", "):
        told.tell(event)
    assert told.machine.state.final
    assert told.machine.why == why


def test_the_fault_names_the_limit() -> None:
    told = Told()
    told.tell("over queue")
    (fault,) = told.machine.faults
    assert fault.message == "it waited for a place longer than timeout.queue (1m00s)"
    assert fault.fix == "raise timeout.queue in the job file"
