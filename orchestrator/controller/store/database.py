"""The connection to the database: who may write, what is durable, how it fails."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestrator.controller.store.schema import VERSION, migrate
from orchestrator.errors import Code, OrchError
from orchestrator.units import format_memory

_NOT_OURS = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""What the disk, or who else uses it, does to us; all else is a mistake of ours."""


class Database:
    """One connection under one lock."""

    def __init__(self, path: Path) -> None:
        """Open it, made or migrated as needed.

        Raises:
            OrchError: E304, it was written by a newer version of this program, or
                the folder cannot be written.
        """
        self._path = path
        self._lock = threading.RLock()
        self._inside = False
        self._flush_after = False
        self._scrub_after = False
        with self._named_errors():
            self._db = _open(path)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @contextmanager
    def batch(self, *, durable: bool = False) -> Iterator[None]:
        """Make all writes inside one transaction: all of them are kept, or none.

        A batch in a batch is part of it, but undone alone if it raises. A write that
        must be durable makes a batch durable that was not asked to be; that costs a
        second small transaction.

        Raises:
            OrchError: E304, the state folder cannot be written; nothing is kept.
        """
        with self._lock, self._named_errors():
            if self._inside:
                self._flush_after |= durable
                with self._savepoint():
                    yield
                return
            with self._transaction(durable=durable):
                yield
            self._afterwards(durable=durable)

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[None]:
        self._flush_after = self._scrub_after = False
        self._synchronous(full=durable)
        self._db.execute("BEGIN IMMEDIATE")
        self._inside = True
        try:
            yield
            self._check_inside()
            self._db.execute("COMMIT")
        finally:
            self._inside = False
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._check_inside()
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK TO part")
                    self._db.execute("RELEASE part")
            raise
        self._db.execute("RELEASE part")

    def _check_inside(self) -> None:
        # A full disk undoes the whole transaction, and somebody caught the error.
        if not self._db.in_transaction:
            raise OrchError.of(
                Code.WRONG_STATE, "an earlier write of this batch failed; all is undone"
            )

    def _afterwards(self, *, durable: bool) -> None:
        if self._flush_after and not durable:
            self._synchronous(full=True)
            # Any durable commit brings all that was committed before it to the disk.
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        if self._scrub_after:
            # What was overwritten is still in the log, until that is cut off.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _synchronous(self, *, full: bool) -> None:
        self._db.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")

    def _scrub(self) -> None:
        """Overwrite what this transaction deletes in every file of the database."""
        self._scrub_after = True

    def _write(
        self, statement: str, values: tuple[Any, ...], *, durable: bool = False
    ) -> int:
        """Run one statement; the number of rows it changed."""
        with self.batch(durable=durable):
            return self._db.execute(statement, values).rowcount

    def _write_all(self, statement: str, rows: Iterator[tuple[Any, ...]]) -> None:
        with self.batch():
            self._db.executemany(statement, rows)

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock, self._named_errors():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            # The low byte is the kind; the others tell which call of the system.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_OURS:
                raise
            raise _unusable(self._path, error) from error


def _open(path: Path) -> sqlite3.Connection:
    with suppress(OSError):
        # Nobody else may read it, not even while it is still empty.
        path.touch(mode=0o600)
        path.chmod(0o600)
    db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        version = migrate(db)
        if version > VERSION:
            raise OrchError.of(
                Code.WRONG_STATE,
                f"{path} was written by a newer orch (schema {version})",
                fix="use that version, or another ORCH_STATE_DIR",
            )
    except BaseException:
        db.close()
        raise
    return db


def _unusable(path: Path, error: sqlite3.Error) -> OrchError:
    facts: tuple[str, ...] = (f"{path}: {error} ({error.sqlite_errorname})",)
    with suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        facts = (*facts, f"{format_memory(free)} free on its disk")
    return OrchError.of(
        Code.WRONG_STATE,
        f"the state folder cannot be written: {error}",
        facts=facts,
        fix=f"make room in {path.parent} and see that its owner may write there, then"
        " do it again; what was accepted before is kept",
    )
