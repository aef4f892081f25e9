"""What the controller and a node's agent say to each other about commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.lifecycle.key import JobKey


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The code that a job was submitted with.

    Attributes:
        sha256: Of the file's bytes; nodes keep it by this.
        path: A `.tar.gz` on the head.
    """

    sha256: str
    path: str


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One attempt of one command job.

    Attributes:
        key: The job, or the task.
        attempt: 1, 2, ...
        argv: The program and its arguments.
        folder: The attempt's folder for `rank-0.log` and `exit.json`, in the node's
            state folder: `jobs/42.3/attempt-1`. The folder above it holds `workdir`.
        env: Set over the node's own environment.
        redact: Texts that the log shows as `***`.
        snapshot: Unpacked into `workdir`, once a job; `None` leaves it empty.
        cwd: Where in `workdir` it starts; an absolute path is taken as it is.
        gpus: UUIDs of the GPUs that it may see; none is the default.
        run: Unique over all jobs of all time, as numbers are not; empty: not said.
    """

    key: JobKey
    attempt: int
    argv: tuple[str, ...]
    folder: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    redact: tuple[str, ...] = field(default=(), repr=False)
    snapshot: Snapshot | None = None
    cwd: str = "."
    gpus: tuple[str, ...] = ()
    run: str = ""


@dataclass(frozen=True, slots=True)
class CommandRunning:
    """A command that has not ended.

    Attributes:
        pid: Its first process; 0 while its `workdir` is unpacked.
    """

    key: JobKey
    attempt: int
    pid: int


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a command ended. Its processes are gone by then, daemonised ones too.

    Attributes:
        exit_code: What it exited with; 126 and 127 also if it could not be started,
            as in a shell, with the reason in its log.
        signal: The signal that killed it.
        started_at: Seconds since the epoch, on the node's clock.
        ended_at: The same.
        error: Why it was never started: its snapshot could not be unpacked.
        full: It was not because the node has no processes, descriptors or disk left.
    """

    key: JobKey
    attempt: int
    exit_code: int | None
    signal: int | None
    started_at: float
    ended_at: float
    error: str = ""
    full: bool = False

    @property
    def lost(self) -> bool:
        """Whether nobody knows: what watched it was killed, and it was with it."""
        return self.exit_code is None and self.signal is None and not self.error


@dataclass(frozen=True, slots=True)
class CommandNews:
    """The commands of a node, all of them, whenever one starts or ends.

    Attributes:
        life: Another one means that the node's agent was replaced: commands of the
            earlier life that are not named here are dead.
        version: Grows with every change within a life.
        running: Those that have not ended.
        ended: Those that have, until they are forgotten.
    """

    life: str
    version: int
    running: tuple[CommandRunning, ...] = ()
    ended: tuple[CommandEnd, ...] = ()
