"""The commands of a node, without an agent's actor: real keeper, shims and programs."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.commands.keeping import Commands
from orchestrator.runtime.commands.spec import CommandEnd, CommandNews, CommandSpec

WAIT_S = 20.0


def spec_of(number: int, *argv: str, attempt: int = 1) -> CommandSpec:
    folder = f"jobs/{number}/attempt-{attempt}"
    return CommandSpec(JobKey(number), attempt, argv, folder)


def shell(number: int, script: str, attempt: int = 1) -> CommandSpec:
    return spec_of(number, "bash", "-euo", "pipefail", "-c", script, attempt=attempt)


@dataclass
class CommandNode:
    """One life of a node's agent, as far as commands go."""

    commands: Commands
    state: Path

    def start(self, spec: CommandSpec, snapshot: Path | None = None) -> int:
        return self.commands.start(spec, snapshot)

    def news(self, after: int = -1) -> CommandNews:
        return self.commands.watch(after, WAIT_S)

    def ended(self, spec: CommandSpec) -> CommandEnd:
        """Waits for it by the news alone."""
        news = self.news()
        while True:
            for end in news.ended:
                if (end.key, end.attempt) == (spec.key, spec.attempt):
                    return end
            newer = self.news(news.version)
            assert newer.version != news.version, f"no news of {spec.key}"
            news = newer

    def run(self, spec: CommandSpec, snapshot: Path | None = None) -> CommandEnd:
        self.start(spec, snapshot)
        return self.ended(spec)

    def log(self, spec: CommandSpec) -> bytes:
        path = self.state / spec.folder / "rank-0.log"
        return path.read_bytes() if path.exists() else b""

    def wait_log(self, spec: CommandSpec, text: bytes) -> bytes:
        """The log, as soon as it holds this: told by the log's own growth."""
        waiter = select.poll()
        for _ in range(int(WAIT_S * 100)):
            if text in (found := self.log(spec)):
                return found
            waiter.poll(10)
        raise AssertionError(f"{text!r} is not in the log: {self.log(spec)!r}")

    @property
    def keeper(self) -> psutil.Process:
        assert self.commands._keeper is not None
        return psutil.Process(self.commands._keeper._process.pid)

    def shim_of(self, pid: int) -> psutil.Process:
        return psutil.Process(psutil.Process(pid).ppid())


@contextmanager
def command_node(state: Path, node_id: str = "") -> Iterator[CommandNode]:
    name = node_id or f"test-{os.getpid()}-{state.name}"
    commands = Commands(name, state, state / "keeper.log")
    try:
        yield CommandNode(commands, state)
    finally:
        commands.close()
    errors = state / "keeper.log"
    assert not errors.exists() or errors.read_text() == "", errors.read_text()


def marked(mark: str) -> list[psutil.Process]:
    """Every process whose command line or environment holds this text."""
    found = []
    for process in psutil.process_iter():
        try:
            held = mark in process.environ().values()
        except psutil.Error:
            continue
        if held and process.pid != os.getpid():
            found.append(process)
    return found


def with_env(spec: CommandSpec, **env: str) -> CommandSpec:
    return replace(spec, env={**spec.env, **env})


def gone(pids: Sequence[int], timeout_s: float) -> bool:
    """Whether all of them end in time; a zombie has ended."""
    left = []
    for pid in pids:
        try:
            left.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    ended, alive = psutil.wait_procs(left, timeout=timeout_s)
    del ended
    return all(each.status() == psutil.STATUS_ZOMBIE for each in alive)
