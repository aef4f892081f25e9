"""Logs of a job: pieces by offset, so that a broken connection loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.client.client import Client, Key
from orchestrator.client.watch import PATIENCE_SECONDS, patiently
from orchestrator.errors import Code

WAIT_SECONDS = 20.0
PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log that there is."""

    attempt: int
    rank: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a log.

    Attributes:
        rank: Whose log.
        offset: Where `data` begins in it.
        next: Where to go on.
        ended: Nothing can follow.
        attempt: Of which attempt; 0: none has a log yet.
    """

    rank: int
    offset: int
    data: bytes
    next: int
    ended: bool
    attempt: int


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: the last lines, the last seconds, or at the start."""

    tail: int | None = None
    since_s: float | None = None

    def asked(self) -> dict[str, object]:
        """As parameters of the first request."""
        named = {"tail": self.tail, "since_s": self.since_s}
        return {name: value for name, value in named.items() if value is not None}


FROM_THE_START = Start()


def log_files(client: Client, key: Key) -> tuple[LogFile, ...]:
    """The logs of all attempts and ranks."""
    answer = client.wire.get(f"/v1/jobs/{key}/logs")
    return tuple(
        LogFile(item["attempt"], item["rank"], item["bytes"]) for item in answer["logs"]
    )


def read_log(
    client: Client,
    key: Key,
    rank: int,
    attempt: int,
    start: Start = FROM_THE_START,
    *,
    follow: bool = False,
    patience_s: float = PATIENCE_SECONDS,
) -> Iterator[Piece]:
    """A log piece by piece; the last one may be empty.

    Args:
        client: Asked again and again.
        key: Which job.
        rank: Whose log.
        attempt: Of which attempt; 0: the newest that has a log now.
        start: Where to begin.
        follow: Go on to the end of the attempt, across a controller's restart.
        patience_s: How long to go on without a controller.

    Raises:
        OrchError: E301, there is none; E302, and E501 where it is followed, when
            patience is over.
    """
    asked = start.asked()
    while True:
        piece = _piece(client, key, rank, attempt, asked, follow, patience_s)
        yield piece
        if piece.ended or (not follow and not piece.data):
            return
        if piece.attempt:
            # The newest may soon be another one, with offsets of its own.
            attempt, asked = piece.attempt, {"offset": piece.next}


def _piece(  # noqa: PLR0913, RUF100
    client: Client,
    key: Key,
    rank: int,
    attempt: int,
    asked: dict[str, object],
    follow: bool,  # noqa: FBT001
    patience_s: float,
) -> Piece:
    wait_s = WAIT_SECONDS if follow else 0.0
    params = {**asked, "attempt": attempt, "limit": PIECE_BYTES, "wait": wait_s}

    def ask(_first: bool) -> Piece:  # noqa: FBT001
        answer = client.wire.fetch(f"/v1/jobs/{key}/logs/{rank}", params, wait_s=wait_s)
        offset = int(answer.headers.get("orch-offset", 0))
        return Piece(
            rank=rank,
            offset=offset,
            data=answer.body,
            next=int(answer.headers.get("orch-next", offset + len(answer.body))),
            ended=answer.headers.get("orch-ended") == "1",
            attempt=int(answer.headers.get("orch-attempt", attempt)),
        )

    # A node's agent that died is started again: whoever follows waits for it, too.
    gone = (Code.CONTROLLER_UNREACHABLE, *((Code.NODE_LOST,) if follow else ()))
    return patiently(client, ask, patience_s, gone)
