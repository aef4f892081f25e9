"""The jobs on disk: what the controller must know again after any crash.

SQLite in WAL mode. What somebody was promised - an accepted job, a final outcome, a
wish to cancel or retry - is on the disk (`synchronous=FULL`) when the call returns; no
kill loses anything that returned, and a power cut at most the newest steps.
"""

from __future__ import annotations

from orchestrator.controller.store.database import Database
from orchestrator.controller.store.engines import Engines
from orchestrator.controller.store.events import Events
from orchestrator.controller.store.lists import Lists
from orchestrator.controller.store.rows import (
    SEQ_PER_JOB,
    AttemptRow,
    EventRow,
    JobRow,
    Named,
    NewJob,
    NewTask,
    QueuedRow,
    Standing,
    Usage,
)
from orchestrator.controller.store.secrets import Secrets
from orchestrator.controller.store.usage import Uses

__all__ = [
    "SEQ_PER_JOB",
    "AttemptRow",
    "Database",
    "EventRow",
    "JobRow",
    "Named",
    "NewJob",
    "NewTask",
    "QueuedRow",
    "Standing",
    "Store",
    "Usage",
]


class Store(Lists, Events, Engines, Uses, Secrets):
    """The database. Safe to call from several threads."""
