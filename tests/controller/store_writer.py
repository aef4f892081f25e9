"""Writes to the store at argv[1] until it is killed; tells each thing once it is done.

Run by test_store_crashes.py in a process of its own. argv[2] seeds what it writes;
argv[3] is how many steps of SQLite it lives, 0: until somebody else kills it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path

from orchestrator.controller.store import Standing, Store
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.controller.store_jobs import NOW, new_job


def tell(**words: object) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def add(store: Store, tasks: int) -> None:
    with store.batch(durable=True):
        key = store.accept(new_job(tasks=tasks, secrets={"S": "x"})).key
        store.save(key, Standing(State.PENDING, {"n": key.number}))
        store.add_event(key, NOW, {"event": "accepted"}, State.PENDING, ())
    tell(id=key.number, tasks=tasks)


def end(store: Store, number: int) -> None:
    key = JobKey(number)
    with store.batch():
        gone = store.cancel_pending(number, NOW, {"over": True})
        store.save(key, Standing(State.CANCELLED, {"n": number}, finished_at=NOW))
        store.add_event(key, NOW, {"event": "ended"}, State.CANCELLED, ())
        store.drop_secrets(key)
    tell(ended=number, tasks=len(gone))


def die() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


def main() -> None:
    choose = random.Random(int(sys.argv[2]))
    store = Store(Path(sys.argv[1]))
    if steps := int(sys.argv[3]):
        store._db.set_progress_handler(die, steps)
    going: list[int] = []
    while True:
        if going and choose.random() < 0.4:
            end(store, going.pop(choose.randrange(len(going))))
        else:
            add(store, choose.choice((0, 0, 3, 40)))
            going.append(store.last_job())


if __name__ == "__main__":
    main()
