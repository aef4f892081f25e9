"""The tables, version by version. A version that was released is never edited."""

from __future__ import annotations

import sqlite3

_FIRST = (
    """CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        request TEXT NOT NULL,
        output TEXT NOT NULL,
        created_at TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        view TEXT NOT NULL
    )""",
    "CREATE INDEX jobs_state ON jobs (state)",
    """CREATE TABLE events (
        job INTEGER NOT NULL REFERENCES jobs (id),
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        state TEXT NOT NULL,
        instructions TEXT NOT NULL
    )""",
    "CREATE INDEX events_job ON events (job)",
    """CREATE TABLE engines (
        name TEXT PRIMARY KEY,
        data TEXT NOT NULL
    )""",
    """CREATE TABLE peaks (
        engine_key TEXT NOT NULL,
        gpu_model TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (engine_key, gpu_model)
    )""",
)

_SECOND_TABLES = (
    "ALTER TABLE jobs RENAME TO jobs_1",
    "ALTER TABLE events RENAME TO events_1",
    "DROP INDEX jobs_state",
    "DROP INDEX events_job",
    # The numbers are given out here: what an array's tasks share stands once.
    """CREATE TABLE requests (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        request TEXT NOT NULL
    )""",
    # task -1 is the job itself; tasks is how many it has.
    """CREATE TABLE jobs (
        number INTEGER NOT NULL REFERENCES requests (number),
        task INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        priority INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        cause TEXT NOT NULL,
        output TEXT NOT NULL,
        created_at TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        not_before TEXT,
        after TEXT,
        run TEXT NOT NULL,
        user TEXT NOT NULL,
        tasks INTEGER NOT NULL,
        max_parallel INTEGER,
        needs TEXT NOT NULL,
        view TEXT NOT NULL,
        PRIMARY KEY (number, task)
    )""",
    # How many jobs are in a state: tasks under their job's number, jobs under 0.
    """CREATE TABLE counters (
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        jobs INTEGER NOT NULL,
        PRIMARY KEY (number, state)
    ) WITHOUT ROWID""",
    """CREATE TRIGGER jobs_added AFTER INSERT ON jobs BEGIN
        INSERT INTO counters
        VALUES (CASE WHEN new.task < 0 THEN 0 ELSE new.number END, new.state, 1)
        ON CONFLICT (number, state) DO UPDATE SET jobs = jobs + 1;
    END""",
    """CREATE TRIGGER jobs_moved AFTER UPDATE OF state ON jobs
    WHEN old.state <> new.state BEGIN
        UPDATE counters SET jobs = jobs - 1
        WHERE number = CASE WHEN new.task < 0 THEN 0 ELSE new.number END
        AND state = old.state;
        INSERT INTO counters
        VALUES (CASE WHEN new.task < 0 THEN 0 ELSE new.number END, new.state, 1)
        ON CONFLICT (number, state) DO UPDATE SET jobs = jobs + 1;
    END""",
    """CREATE TABLE events (
        number INTEGER NOT NULL,
        task INTEGER NOT NULL,
        n INTEGER NOT NULL,
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        state TEXT NOT NULL,
        does TEXT NOT NULL,
        PRIMARY KEY (number, task, n)
    ) WITHOUT ROWID""",
    """CREATE TABLE attempts (
        number INTEGER NOT NULL,
        task INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        state TEXT NOT NULL,
        cause TEXT NOT NULL,
        text TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        PRIMARY KEY (number, task, attempt)
    ) WITHOUT ROWID""",
    """CREATE TABLE usage (
        number INTEGER NOT NULL,
        task INTEGER NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        model TEXT NOT NULL,
        user TEXT NOT NULL,
        gpu TEXT NOT NULL,
        gpu_name TEXT NOT NULL,
        gpu_model TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT
    )""",
    "ALTER TABLE peaks RENAME TO peaks_1",
    # shape is the batch that ran, as JSON; lacked: the memory ran out.
    """CREATE TABLE peaks (
        engine_key TEXT NOT NULL,
        gpu_model TEXT NOT NULL,
        shape TEXT NOT NULL,
        lacked INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        settled INTEGER NOT NULL,
        PRIMARY KEY (engine_key, gpu_model, shape, lacked)
    ) WITHOUT ROWID""",
    """CREATE TABLE profiles (
        engine_key TEXT PRIMARY KEY,
        data TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE secrets (
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (number, name)
    ) WITHOUT ROWID""",
)

_SECOND_ROWS = (
    "INSERT INTO requests SELECT id, request FROM jobs_1",
    # Numbers of jobs that are no more are not given out again either.
    "DELETE FROM sqlite_sequence WHERE name = 'requests'",
    """INSERT INTO sqlite_sequence
    SELECT 'requests', seq FROM sqlite_sequence WHERE name = 'jobs_1'""",
    """INSERT INTO jobs
    SELECT id, -1, 'batch', name, state, 0, id * 1048576, 1, '', output,
        created_at, started_at, finished_at, NULL, NULL,
        CASE WHEN json_valid(request)
            THEN coalesce(json_extract(request, '$.run'), '') ELSE '' END,
        '', 0, NULL, '{}', view
    FROM jobs_1 ORDER BY id""",
    """INSERT INTO events
    SELECT job, -1, row_number() OVER (PARTITION BY job ORDER BY rowid), at,
        json_object('text', event), state,
        CASE instructions WHEN '' THEN '[]' ELSE json_array(instructions) END
    FROM events_1""",
    # What ran then is not known: such a peak may raise an estimate, never lower it.
    """INSERT INTO peaks
    SELECT engine_key, gpu_model, '{"batch": 1}', 1, bytes, 0 FROM peaks_1""",
    "DROP TABLE peaks_1",
    "DROP TABLE events_1",
    "DROP TABLE jobs_1",
    "CREATE INDEX jobs_state ON jobs (state, task, number)",
    # The two terms stand word for word in the queries that use it.
    """CREATE INDEX jobs_pending
    ON jobs (number, task, priority, seq, not_before, after, max_parallel, needs)
    WHERE state = 'PENDING' AND tasks = 0""",
    """CREATE INDEX jobs_output ON jobs (output)
    WHERE state IN ('PENDING', 'LOADING', 'RUNNING', 'STOPPING')""",
    "CREATE INDEX jobs_name ON jobs (name, number DESC, state) WHERE task = -1",
    # A GPU is held once by a job at any time.
    """CREATE UNIQUE INDEX usage_open ON usage (number, task, gpu)
    WHERE finished_at IS NULL""",
    "CREATE INDEX usage_finished ON usage (finished_at)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND_TABLES + _SECOND_ROWS)
"""What makes each version out of the one before it."""

VERSION = len(MIGRATIONS)


def migrate(db: sqlite3.Connection) -> int:
    """Bring the tables to this version, all at once or not at all.

    Returns:
        The version that they have now: a newer one is left alone.
    """
    if _version(db) >= VERSION:
        return _version(db)
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster: then there is nothing left to do.
        for number, statements in enumerate(MIGRATIONS[_version(db) :], _version(db)):
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number + 1}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return _version(db)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
