"""Who held which GPU from when to when: what GPU-hours are counted from."""

from __future__ import annotations

from orchestrator.controller.store.database import Database
from orchestrator.controller.store.rows import Usage
from orchestrator.lifecycle.key import JobKey

_COLUMNS = (
    "number, task, name, kind, model, user, gpu, gpu_name, gpu_model, started_at,"
    " finished_at"
)


class Uses(Database):
    """The table `usage`."""

    def open_usage(self, use: Usage) -> None:
        """A job holds a GPU from now on; told again while it does, nothing changes."""
        self._write(
            f"INSERT OR IGNORE INTO usage ({_COLUMNS})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                use.key.number,
                use.key.task,
                use.name,
                use.kind,
                use.model,
                use.user,
                use.gpu,
                use.gpu_name,
                use.gpu_model,
                use.started_at,
            ),
        )

    def close_usage(self, key: JobKey, at: str, *, gpu: str | None = None) -> None:
        """A job has given a GPU back, by its UUID; without one, all it held."""
        self._write(
            "UPDATE usage SET finished_at = ? WHERE number = ? AND task = ?"
            " AND finished_at IS NULL AND gpu = coalesce(?, gpu)",
            (at, key.number, key.task, gpu),
        )

    def open_uses(self) -> list[Usage]:
        """The GPUs that are held, as far as this store knows, oldest first."""
        return self._uses("finished_at IS NULL", ())

    def usage(self, since: str) -> list[Usage]:
        """All uses that are open, or ended at or after `since`, oldest first."""
        return self._uses("finished_at IS NULL OR finished_at >= ?", (since,))

    def _uses(self, where: str, values: tuple[str, ...]) -> list[Usage]:
        rows = self._read(
            f"SELECT {_COLUMNS} FROM usage WHERE {where} ORDER BY started_at, rowid",
            values,
        )
        return [Usage(JobKey(number, task), *rest) for number, task, *rest in rows]
