"""The commands of a node that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM

from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.commands.spec import (
    CommandEnd,
    CommandNews,
    CommandRunning,
    CommandSpec,
)

Ident = tuple[JobKey, int]


@dataclass
class FakeCommand:
    spec: CommandSpec
    pid: int
    signals: list[int] = field(default_factory=list)


class FakeCommands:
    """What an agent knows of its commands; `die` is its death and its next life."""

    def __init__(self) -> None:
        self.version = 0
        self.life = "life-1"
        self.running: dict[Ident, FakeCommand] = {}
        self.ended: dict[Ident, CommandEnd] = {}
        self.finished: list[Ident] = []
        """Every command that came to its own end, in order."""
        self.started: list[Ident] = []
        self.on_disk: dict[Ident, CommandEnd] = {}
        """How they ended, as no death of the agent makes it forget."""
        self.deaf = False
        """Commands do not heed SIGTERM."""
        self.at_once = False
        """Commands return 0 as soon as they are started."""

    def start(self, spec: CommandSpec) -> FakeCommand:
        ident = (spec.key, spec.attempt)
        if ident in self.running:
            return self.running[ident]
        command = FakeCommand(spec, 5000 + len(self.started))
        if ident in self.ended:
            return command
        if ident in self.started:
            # On its disk it finds that it was begun, and perhaps how it ended.
            lost = CommandEnd(*ident, None, None, 0.0, 0.0)
            self.ended[ident] = self.on_disk.get(ident, lost)
            self.version += 1
            return command
        self.started.append(ident)
        self.running[ident] = command
        self.version += 1
        if self.at_once:
            self.end(ident, 0, None)
        return command

    def signal(self, key: JobKey, attempt: int, signal: int) -> bool:
        command = self.running.get((key, attempt))
        if command is None:
            return False
        command.signals.append(signal)
        if signal == SIGKILL or (signal == SIGTERM and not self.deaf):
            self.end((key, attempt), None, signal)
        return True

    def end(self, ident: Ident, code: int | None, signal: int | None) -> None:
        del self.running[ident]
        self.ended[ident] = CommandEnd(*ident, code, signal, 0.0, 0.0)
        self.on_disk[ident] = self.ended[ident]
        if code is not None:
            self.finished.append(ident)
        self.version += 1

    def forget(self, ended: Sequence[Ident]) -> None:
        for ident in ended:
            self.ended.pop((ident[0], ident[1]), None)

    def news(self) -> CommandNews:
        return CommandNews(
            self.life,
            self.version,
            tuple(
                CommandRunning(*ident, command.pid)
                for ident, command in self.running.items()
            ),
            tuple(self.ended.values()),
        )

    def die(self) -> None:
        """The agent is killed, and its commands with it."""
        self.running.clear()
        self.ended.clear()
        self.version += 1000
        self.life += "x"
