"""A command job as work: what is run on a node, with which environment and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.controller.batch_work import check_writable
from orchestrator.controller.store import JobRow
from orchestrator.runtime.commands.spec import CommandSpec, Snapshot
from orchestrator.scheduling.queue_cpu import CpuDemand
from orchestrator.spec.job import CommandJob

_SHELL = ("bash", "-euo", "pipefail", "-c")


@dataclass(frozen=True, slots=True)
class CommandWork:
    """A job file of kind `command`.

    Attributes:
        job: The job file; a task's, if it is one of an array.
        env: Its environment.
        snapshot: The files that travel with it.
    """

    job: CommandJob
    env: Mapping[str, str]
    snapshot: Snapshot | None

    @property
    def text(self) -> str:
        """The command as people read it: its first line."""
        run = self.job.run
        text = run if isinstance(run, str) else " ".join(run)
        return text.strip().partition("\n")[0]

    @property
    def needs(self) -> CpuDemand:
        """What a node must have free for it."""
        wanted = self.job.resources
        return CpuDemand(wanted.cpus or 1.0, wanted.memory or 0)

    def check_output(self, output: str) -> None:
        """Look whether something can be written there.

        Raises:
            OrchError: E304.
        """
        check_writable(Path(output.partition("{id}")[0]))

    def command(
        self, row: JobRow, attempt: int, folder: str, secrets: Mapping[str, str]
    ) -> CommandSpec:
        """What the node is told.

        Args:
            row: The job.
            attempt: Which one this is.
            folder: The attempt's, in the node's state folder.
            secrets: By name; they are in its environment and not in its log.
        """
        run = self.job.run
        return CommandSpec(
            key=row.key,
            attempt=attempt,
            argv=(*_SHELL, run) if isinstance(run, str) else tuple(run),
            folder=folder,
            env={**self.env, **secrets, **_told(row, attempt)},
            redact=tuple(value for value in secrets.values() if value),
            snapshot=self.snapshot,
            run=row.run,
        )


def _told(row: JobRow, attempt: int) -> dict[str, str]:
    return {
        "ORCH_JOB_ID": str(row.key),
        "ORCH_JOB_NAME": row.name,
        "ORCH_ATTEMPT": str(attempt),
        "ORCH_OUTPUT_DIR": row.output,
    }
