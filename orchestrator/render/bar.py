"""The bar that moves while a job runs, on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from orchestrator.client.views import JobView
from orchestrator.render.progress import job_progress, rate_text

REFRESHES_PER_SECOND = 8


class Bar:
    """Phase, rows, rows/s, failed and ETA; gone when it is closed."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self._task: TaskID = self._progress.add_task("", total=None, detail="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, job: JobView) -> None:
        """Move to where the job is."""
        details = [job_progress(job)]
        if job.progress.rows_per_second:
            details.append(rate_text(job.progress))
        self._progress.update(
            self._task,
            description=f"job {job.key} {job.progress.phase}",
            completed=job.tasks.ended if job.tasks else job.progress.rows_done,
            total=job.tasks.total if job.tasks else job.progress.rows_total,
            detail="  ".join(details),
        )
