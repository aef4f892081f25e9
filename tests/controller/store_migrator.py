"""Opens the database at argv[1] as the store does, and dies in the midst of it.

Run by test_migrations.py in a process of its own. argv[2]: `statement` or `step`;
argv[3]: before which statement, or after how many steps of SQLite, it is killed.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys

from orchestrator.controller.store.schema import migrate


def die(*_: str) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


def main() -> None:
    path, unit, count = sys.argv[1:]
    seen: set[str] = set()

    def count_up(statement: str) -> None:
        # A statement is told again for each step of its triggers.
        seen.add(statement)
        if len(seen) > int(count):
            die()

    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    # Little memory, so that half a migration reaches the log.
    db.execute("PRAGMA cache_size = 10")
    if unit == "statement":
        db.set_trace_callback(count_up)
    else:
        db.set_progress_handler(die, int(count))
    migrate(db)
    os.write(1, b"done")


if __name__ == "__main__":
    main()
