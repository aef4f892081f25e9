"""The logs of jobs, wherever their nodes have them. From API threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from orchestrator.controller.commands import attempt_folder
from orchestrator.controller.core import Core
from orchestrator.controller.store import JobRow
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime import log_files
from orchestrator.runtime.node_agents import node_lost

PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of which log.

    Attributes:
        rank: Whose log.
        attempt: Which one's; 0: the newest that has a log.
        offset: Where to begin.
        limit: Bytes at most.
        tail: Begin with so many last lines instead.
        since_s: Begin with what came in the last seconds instead.
    """

    rank: int
    attempt: int = 0
    offset: int = 0
    limit: int = PIECE_BYTES
    tail: int | None = None
    since_s: float | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a log.

    Attributes:
        data: They.
        offset: Where they begin.
        ended: The attempt is over, and nothing follows.
        attempt: Whose they are; 0: none has a log yet.
    """

    data: bytes
    offset: int
    ended: bool
    attempt: int

    def goes_on(self, asked: Asked) -> Asked:
        """What to ask for next: of the same attempt, its offsets are no other's."""
        if not self.attempt:
            return asked
        return replace(
            asked,
            attempt=self.attempt,
            offset=self.offset + len(self.data),
            tail=None,
            since_s=None,
        )


class _Files(Protocol):
    """The log files of one node, by path in its state folder."""

    def read(self, path: str, offset: int, limit: int) -> bytes: ...
    def size(self, path: str) -> int: ...
    def tail(self, path: str, lines: int) -> int: ...
    def since(self, path: str, epoch_s: float) -> int: ...


@dataclass(frozen=True, slots=True)
class _Here:
    """The head's own files: they are there whatever became of its agent."""

    state: Path

    def read(self, path: str, offset: int, limit: int) -> bytes:
        return log_files.read_range(self.state / path, offset, limit)

    def size(self, path: str) -> int:
        return log_files.size(self.state / path)

    def tail(self, path: str, lines: int) -> int:
        return log_files.tail_offset(self.state / path, lines)

    def since(self, path: str, epoch_s: float) -> int:
        return log_files.offset_since(self.state / path, epoch_s)


@dataclass(frozen=True, slots=True)
class _There:
    """Another node's files, by way of its agent."""

    core: Core
    node_id: str

    def read(self, path: str, offset: int, limit: int) -> bytes:
        return self.core.cluster.read_log(self.node_id, path, offset, limit)

    def size(self, path: str) -> int:
        return self.core.cluster.log_size(self.node_id, path)

    def tail(self, path: str, lines: int) -> int:
        return self.core.cluster.log_tail(self.node_id, path, lines)

    def since(self, path: str, epoch_s: float) -> int:
        return self.core.cluster.log_since(self.node_id, path, epoch_s)


class Logs:
    """Reads the logs of jobs."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def listed(self, key: JobKey) -> list[dict[str, Any]]:
        """Every log of a job, by attempt and rank.

        Raises:
            OrchError: E301, there is no such job.
        """
        self._row(key)
        return [
            {
                "attempt": attempt,
                "rank": rank,
                "bytes": self._size(node, _path(key, attempt, rank)),
            }
            for (attempt, rank), node in sorted(self._nodes(key).items())
        ]

    def read(self, key: JobKey, asked: Asked) -> Piece:
        """A part of a log; empty where there is nothing yet.

        Raises:
            OrchError: E301, there is no such job, attempt or rank;
                E501, its node does not answer.
        """
        row = self._row(key)
        nodes = self._nodes(key)
        attempt = asked.attempt or max((a for a, _ in nodes), default=0)
        over = row.state.final or attempt < row.attempt
        node = nodes.get((attempt, asked.rank))
        if node is None:
            self._refuse(key, asked, nodes)
            return Piece(b"", 0, row.state.final, asked.attempt)
        path = _path(key, attempt, asked.rank)
        files = self._files(node, path)
        offset = _offset(files, path, asked)
        data = files.read(path, offset, min(asked.limit, PIECE_BYTES))
        # Asked after reading: what came in between is seen the next time.
        ended = over and offset + len(data) >= files.size(path)
        return Piece(data, offset, ended, attempt)

    def _refuse(
        self, key: JobKey, asked: Asked, nodes: dict[tuple[int, int], str]
    ) -> None:
        """Nothing was logged yet, or never will be under that number."""
        ranks = [rank for attempt, rank in nodes if asked.attempt in (0, attempt)]
        if nodes and (asked.attempt or ranks) and asked.rank not in ranks:
            known = ", ".join(f"{a}/{r}" for a, r in sorted(nodes))
            raise OrchError.of(
                Code.NO_SUCH_JOB,
                f"job {key} has no log of rank {asked.rank}"
                + (f" in attempt {asked.attempt}" if asked.attempt else ""),
                facts=(f"there are (attempt/rank): {known}",),
            )

    def _row(self, key: JobKey) -> JobRow:
        row = self._core.store.job(key)
        if row is None:
            raise OrchError.of(
                Code.NO_SUCH_JOB, f"there is no job {key}", fix="orch status -a"
            )
        return row

    def _nodes(self, key: JobKey) -> dict[tuple[int, int], str]:
        active = self._core.jobs.get(key)
        if active is not None:
            return dict(active.nodes)
        view = self._row(key).view
        return {(a, rank): node for a, rank, node in view.get("nodes", ())}

    def _files(self, node_id: str, path: str) -> _Files:
        found = (room for room in self._core.rooms if room.node_id == node_id)
        room = next(found, None)
        if room is not None and not room.head:
            return _There(self._core, node_id)
        # A head that was started anew has another id, and the same files.
        if room is not None or (self._core.state / path).parent.is_dir():
            return _Here(self._core.state)
        raise node_lost(node_id)

    def _size(self, node_id: str, path: str) -> int:
        try:
            return self._files(node_id, path).size(path)
        except OrchError:
            # Its node is silent; the other logs are worth showing.
            return 0


def _path(key: JobKey, attempt: int, rank: int) -> str:
    return f"{attempt_folder(key, attempt)}/rank-{rank}.log"


def _offset(files: _Files, path: str, asked: Asked) -> int:
    if asked.tail is not None:
        return files.tail(path, asked.tail)
    if asked.since_s is not None:
        return files.since(path, datetime.now(UTC).timestamp() - asked.since_s)
    return asked.offset
