"""Fills the store at argv[1] until no file may grow, gets room again and goes on.

Run by test_store_faults.py in a process of its own; prints what it was told.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from orchestrator.controller.store import Standing, Store
from orchestrator.errors import OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import NOW, new_job

LIMIT = 1 << 20


def main() -> None:
    store = Store(Path(sys.argv[1]))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, most))
    accepted: list[int] = []
    faults: list[dict[str, object]] = []
    while not faults:
        try:
            accepted.append(store.accept(new_job(tasks=20)).id)
        except OrchError as error:
            faults = [fault.to_json() for fault in error.faults]
    for _ in range(3):
        with suppress(OrchError), store.batch():
            with suppress(OrchError):
                store.accept(new_job(tasks=5000))
            store.add_event(JobKey(1), NOW, {"event": "small"}, State.PENDING, ())
    read = [row.id for row in store.jobs(limit=-1)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    store.save(JobKey(1), Standing(State.RUNNING, {}))
    accepted.append(store.accept(new_job(tasks=20)).id)
    said = {"accepted": accepted, "faults": faults, "read": read}
    os.write(1, json.dumps(said).encode())
    store.close()


if __name__ == "__main__":
    main()
