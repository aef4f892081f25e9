"""Commands and logs on the nodes, by way of their agents."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import ray

from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.commands.spec import CommandNews, CommandSpec
from orchestrator.runtime.node_agents import AGENT_START_TIMEOUT_S, NodeAgents
from orchestrator.runtime.translate import translated

T = TypeVar("T")


class NodeCommands(NodeAgents):
    """What is done on one node. Every call raises E501 if it does not answer.

    An agent that died is started again by Ray; its commands died with it, which
    `CommandNews.life` shows.
    """

    def start_command(self, node_id: str, spec: CommandSpec) -> int:
        """Start a command; the same key and attempt again starts nothing.

        Returns:
            The pid of its first process; 0 if its code is still being unpacked, or
            if it has ended long ago (the news say how).

        Raises:
            OrchError: E501, or E204 if its snapshot is gone.
        """
        agent = self.agent(node_id)
        try:
            return _asked(agent.start_command.remote(spec))
        except OrchError as error:
            if error.fault.code is not Code.FILE_NOT_FOUND or spec.snapshot is None:
                raise
        # Another node than the head has not seen this code yet.
        code = _read(Path(spec.snapshot.path))
        _asked(agent.put_snapshot.remote(spec.snapshot.sha256, code))
        return _asked(agent.start_command.remote(spec))

    def signal_command(
        self, node_id: str, key: JobKey, attempt: int, signal: int
    ) -> bool:
        """Signal a command's process group; SIGKILL ends all of its tree.

        Returns:
            Whether it was there to be signalled.
        """
        agent = self.agent(node_id)
        return _asked(agent.signal_command.remote(key, attempt, signal))

    def watch_commands(self, node_id: str, after: int, timeout_s: float) -> CommandNews:
        """The node's commands, as soon as their version differs from `after`."""
        agent = self.agent(node_id)
        return _asked(agent.watch_commands.remote(after, timeout_s), timeout_s)

    def forget_commands(
        self, node_id: str, ended: Sequence[tuple[JobKey, int]]
    ) -> None:
        """Drop commands that ended, by key and attempt, from the node's news."""
        _asked(self.agent(node_id).forget_commands.remote(tuple(ended)))

    # --- logs: `path` lies in the node's state folder -----------------------------

    def read_log(self, node_id: str, path: str, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes of a log on that node; nothing if it is not there."""
        return _asked(self.agent(node_id).read_log.remote(path, offset, limit))

    def log_size(self, node_id: str, path: str) -> int:
        """Bytes of a log on that node; 0 if it is not there."""
        return _asked(self.agent(node_id).log_size.remote(path))

    def log_tail(self, node_id: str, path: str, lines: int) -> int:
        """The offset at which a log's last lines begin."""
        return _asked(self.agent(node_id).log_tail.remote(path, lines))

    def log_since(self, node_id: str, path: str, epoch_s: float) -> int:
        """The offset of what a log was given since then."""
        return _asked(self.agent(node_id).log_since.remote(path, epoch_s))


def _asked(answer: ray.ObjectRef[T], more_s: float = 0.0) -> T:
    with translated(Code.NODE_LOST, "the node's agent does not answer"):
        return ray.get(answer, timeout=AGENT_START_TIMEOUT_S + more_s)


def _read(snapshot: Path) -> bytes:
    with suppress(OSError):
        return snapshot.read_bytes()
    raise OrchError.of(
        Code.FILE_NOT_FOUND, f"the job's code is gone from the head: {snapshot}"
    )
