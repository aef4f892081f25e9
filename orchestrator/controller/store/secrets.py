"""The values of a job's secrets: here from its submission until it is over."""

from __future__ import annotations

from orchestrator.controller.store.database import Database
from orchestrator.lifecycle.key import JobKey


class Secrets(Database):
    """The table `secrets`."""

    def secrets(self, key: JobKey) -> dict[str, str]:
        """The secrets of a job; a task has its array's."""
        query = "SELECT name, value FROM secrets WHERE number = ?"
        return dict(self._read(query, (key.number,)))

    def drop_secrets(self, key: JobKey) -> None:
        """Forget them: the values are overwritten in every file of the store."""
        with self.batch():
            if self._write("DELETE FROM secrets WHERE number = ?", (key.number,)):
                self._scrub()
