"""Jobs from Python: what `import orchestrator as orch` offers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.client.address import state_dir
from orchestrator.client.client import LISTED, Client, RetryMode
from orchestrator.client.logs import log_files, read_log
from orchestrator.client.results import failed_rows, partial_rows, result_rows
from orchestrator.client.select import select
from orchestrator.client.start import connect_or_start
from orchestrator.client.submission import submit_all
from orchestrator.client.views import JobView
from orchestrator.client.waiting import wait_for
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from orchestrator.spec.checked import checked
from orchestrator.spec.load import LoadedJob, load_job, load_job_text

Source = str | Path | Mapping[str, Any]
"""The path of a job file, or what would stand in one."""


@dataclass(frozen=True)
class Job:
    """A job, wherever it runs. It holds no connection and may be kept or pickled.

    Attributes:
        key: Its number, and its index if it is a task of an array.
        folder: The state folder of its controller.
    """

    key: JobKey
    folder: Path = field(default_factory=state_dir)

    @property
    def id(self) -> int:
        """Its number."""
        return self.key.number

    @property
    def state(self) -> State:
        """Where it stands now, such as `State.RUNNING`; a str."""
        return self.view().state

    def view(self) -> JobView:
        """All that is known of it now: progress, placement, faults, attempts.

        Raises:
            OrchError: E301, there is no such job (any more); E302.
        """
        with Client.connect(self.folder) as client:
            return client.job(self.key)

    def wait(self, timeout_s: float | None = None) -> State:
        """Block until it has ended.

        Args:
            timeout_s: Give up after so many seconds; `None`: never.

        Returns:
            Its last state; what it is in when the time is over.
        """
        with Client.connect(self.folder) as client:
            return wait_for(client, self.key, timeout_s).state

    def results(self, *, partial: bool = False) -> Iterator[dict[str, Any]]:
        """Its rows in the order of the input, read as they are asked for.

        Args:
            partial: Rows that are done, while others are not.

        Raises:
            OrchError: E304, it has no results file yet; E204, the file is not on
                this machine.
        """
        view = self.view()
        return partial_rows(view) if partial else result_rows(view)

    def failed(self) -> Iterator[dict[str, Any]]:
        """The rows that failed, each with its `code` and `message`."""
        return failed_rows(self.view())

    def logs(self, *, rank: int = 0, attempt: int | None = None) -> str:
        """What one rank wrote, in its newest attempt unless another is named.

        Raises:
            OrchError: E301, there is no such log.
        """
        with Client.connect(self.folder) as client:
            of = attempt or max(
                (file.attempt for file in log_files(client, self.key)), default=1
            )
            pieces = read_log(client, self.key, rank, of)
            return b"".join(piece.data for piece in pieces).decode("utf-8", "replace")

    def cancel(
        self, *, force: bool = False, grace_s: float | None = None, reason: str = ""
    ) -> None:
        """Ask it to stop; what is finished is kept. Once it has ended: nothing.

        Args:
            force: Without letting what runs come to rest.
            grace_s: From the request to the end of patience.
            reason: Kept with the job.
        """
        with Client.connect(self.folder) as client:
            client.cancel(self.key, force=force, grace_s=grace_s, reason=reason)

    def retry(self, mode: RetryMode = "resume") -> None:
        """Run it once more, as its next attempt.

        Args:
            mode: `resume` keeps what is finished, `failed` does only what failed,
                `scratch` keeps nothing.

        Raises:
            OrchError: E304, it has not ended.
        """
        with Client.connect(self.folder) as client:
            client.retry(self.key, mode)


def submit(
    source: Source,
    *,
    set: Mapping[str, Any] | None = None,  # noqa: A002  as on the command line
    wait_start_s: float | None = None,
    on_start: Callable[[str], None] = lambda _line: None,
) -> Job:
    """Queue a job; a controller is started if there is none.

    Args:
        source: A job file's path, or what would stand in one; relative paths in it
            start at the file's folder, or where the program runs.
        set: Changes by path, such as `{"resources.gpus": 1}`.
        wait_start_s: How long it may wait for a place; 0: start now or raise.
        on_start: Hears what goes on while a controller is started.

    Raises:
        OrchError: E2xx, all that is wrong with it; E101, it can never fit.
    """
    changes = tuple(
        f"{path}={json.dumps(value)}" for path, value in (set or {}).items()
    )
    loaded = _load(source, changes)
    folder = state_dir()
    with connect_or_start(folder, on_start) as client:
        (view,) = submit_all(client, [checked(loaded)], wait_start_s=wait_start_s)
    return Job(view.key, folder)


def job(selector: str | int) -> Job:
    """The job that a selector means: 42, "42.3", a name's beginning, "last", "@~1".

    Raises:
        OrchError: E301, none is meant; E203, several are; E302.
    """
    folder = state_dir()
    with Client.connect(folder) as client:
        return Job(select(client, str(selector)).key, folder)


def jobs(
    *, every: bool = False, states: tuple[State, ...] = (), limit: int = LISTED
) -> tuple[Job, ...]:
    """Jobs, newest first.

    Args:
        every: Finished ones too.
        states: Only these, if any are named.
        limit: At most so many.
    """
    folder = state_dir()
    with Client.connect(folder) as client:
        found = client.jobs(every=every, states=states, limit=limit).jobs
    return tuple(Job(view.key, folder) for view in found)


def _load(source: Source, changes: tuple[str, ...]) -> LoadedJob:
    if isinstance(source, str | Path):
        return load_job(Path(source), changes)
    text = json.dumps(source)
    return load_job_text(text, "dict", folder=Path.cwd(), overrides=changes)
