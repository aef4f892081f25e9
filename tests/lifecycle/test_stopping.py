from __future__ import annotations

import pytest

from tests.lifecycle.told import check

RUNNING = """
    planned 2               start 0; start 1              LOADING
    ready 0                 run 0                         RUNNING
    ready 1                 offer 1                       RUNNING
"""

STORIES = {
    "cancelled while it waits": """
        cancel                  finish CANCELLED              CANCELLED
    """,
    "cancelled while it loads": """
        planned 2               start 0; start 1              LOADING
        cancel                  finish CANCELLED              CANCELLED
    """,
    "cancelled while it runs, then with force": f"""
        {RUNNING}
        cancel                  stop; grace 30                STOPPING
        cancel force            stop force                    STOPPING
        ended stopped           finish CANCELLED              CANCELLED
    """,
    "cancelled twice: that does not lengthen its grace": f"""
        {RUNNING}
        cancel                  stop; grace 30                STOPPING
        cancel                  -                             STOPPING
        cancel 5                grace 5                       STOPPING
        grace over              stop force                    STOPPING
        grace over              -                             STOPPING
        cancel                  -                             STOPPING
        cancel force            stop force                    STOPPING
        ended stopped           finish CANCELLED              CANCELLED
    """,
    "cancelled with a grace of its own": f"""
        {RUNNING}
        cancel 0                stop; grace 0                 STOPPING
        grace over @2           -                             STOPPING
        grace over              stop force                    STOPPING
    """,
    "an engine that dies while it loads for a job that stops stays dead": """
        planned 2               start 0; start 1              LOADING
        ready 0                 run 0                         RUNNING
        cancel                  stop; grace 30                STOPPING
        failed 1 E105           drop 1                        STOPPING
        ended stopped           finish CANCELLED              CANCELLED
    """,
    "cancelled, but its last row was just done": f"""
        {RUNNING}
        cancel                  stop; grace 30                STOPPING
        ended                   finish SUCCEEDED              SUCCEEDED
    """,
    "cancelled, and the runner dies of it": f"""
        {RUNNING}
        cancel                  stop; grace 30                STOPPING
        runner lost             finish CANCELLED              CANCELLED
    """,
    "cancelled after a GPU did not start: that is no failure": """
        planned 2               start 0; start 1              LOADING
        failed 0 E102           drop 0                        LOADING
        ready 1                 run 1                         RUNNING
        cancel                  stop; grace 30                STOPPING
        ended stopped           finish CANCELLED              CANCELLED
    """,
    "cancelled, then a replica fails to load: still cancelled": """
        planned 2               start 0; start 1              LOADING
        ready 0                 run 0                         RUNNING
        cancel                  stop; grace 30                STOPPING
        failed 1 E103 everywhere  drop 1; stop force          STOPPING
        ended stopped           finish CANCELLED              CANCELLED
    """,
    "a failing job that is cancelled has failed": """
        planned 2               start 0; start 1              LOADING
        ready 0                 run 0                         RUNNING
        failed 1 E103 everywhere  drop 1; stop force          STOPPING
        cancel                  -                             STOPPING
        runner lost             finish FAILED E103            FAILED
    """,
    "a replica is lost or ready while the job stops": """
        planned 2               start 0; start 1              LOADING
        ready 0                 run 0                         RUNNING
        cancel                  stop; grace 30                STOPPING
        ready 1                 -                             STOPPING
        lost 0                  drop 0                        STOPPING
        ended stopped           finish CANCELLED              CANCELLED
    """,
    "a new controller does not wake a job that was being cancelled": f"""
        {RUNNING}
        cancel                  stop; grace 30                STOPPING
        restarted               finish CANCELLED              CANCELLED
    """,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_story_of_a_stop(story: str) -> None:
    check(story)
