"""Reading logs for `orch logs`: as they are, or to the end of the job."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.cli.feed import Feed, LogOver
from orchestrator.cli.session import Session
from orchestrator.client.client import Client
from orchestrator.client.logs import FROM_THE_START, Piece, Start, log_files, read_log
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.states import State
from orchestrator.render.loglines import LogLines
from orchestrator.render.outcome import outcome_line, outcome_style
from orchestrator.render.words import counted

_TICK_SECONDS = 1.0
_QUIET_TICKS = 10
"""Ticks without a word after the end, until a log that does not end is left."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is asked for; `None`: the newest attempt, every rank, every line."""

    job: JobView
    attempt: int | None
    rank: int | None
    start: Start
    pattern: re.Pattern[str] | None
    raw: bool


def show(session: Session, client: Client, query: LogQuery) -> int:
    """What there is of the logs now."""
    attempt = query.attempt or query.job.attempt
    ranks = _ranks(client, query, attempt)
    if session.as_json:
        return _document(session, client, query, attempt, ranks)
    out = _Out(session, query, ranks, attempt)
    for rank in ranks:
        pieces = read_log(client, query.job.key, rank, attempt, query.start)
        for number, piece in enumerate(pieces):
            out.piece(piece)
            if not number and piece.offset and query.start.tail:
                session.talk.say(
                    f"(the last {counted(query.start.tail, 'line')}; --tail 0 for all)",
                    "dim",
                )
        out.end(rank)
    return 0


def follow(session: Session, client: Client, query: LogQuery) -> int:
    """The logs to the end of the job, or of the one attempt that was named."""
    return _Following(session, client, query).run()


class _Following:
    def __init__(self, session: Session, client: Client, query: LogQuery) -> None:
        self._session, self._client, self._query = session, client, query
        self._job = query.job
        self._feed = Feed(client)
        self._open: set[int] = set()
        self._attempt = (query.attempt or query.job.attempt) - 1
        self._out = _Out(session, query, (0,), 1)
        self._quiet = 0

    def run(self) -> int:
        if not self._job.state.final:
            self._feed.follow(self._job.key)
        self._look()
        while not self._over():
            event = self._feed.next(_TICK_SECONDS)
            self._quiet = self._quiet + 1 if event is None else 0
            if isinstance(event, JobView):
                self._job = event
            elif isinstance(event, Piece):
                self._out.piece(event)
            elif isinstance(event, LogOver):
                self._out.end(event.rank)
                self._open.discard(event.rank)
            self._look()
        return self._conclude()

    def _over(self) -> bool:
        if self._open:
            return self._job.state.final and self._quiet >= _QUIET_TICKS
        one = self._query.attempt is not None and self._attempt == self._query.attempt
        return one or (self._job.state.final and self._attempt >= self._job.attempt)

    def _look(self) -> None:
        """Open the logs of the next attempt, once it has any."""
        if self._open or self._over():
            return
        upcoming = self._attempt + 1
        if upcoming > self._job.attempt or not _began(self._job, upcoming):
            return
        ranks = _ranks(self._client, self._query, upcoming, self._job)
        start = self._query.start if self._attempt < self._first else FROM_THE_START
        self._attempt = upcoming
        self._out = _Out(self._session, self._query, ranks, upcoming)
        self._open.update(ranks)
        for rank in ranks:
            self._feed.follow_log(self._job.key, rank, upcoming, start)

    @property
    def _first(self) -> int:
        return self._query.attempt or self._query.job.attempt

    def _conclude(self) -> int:
        if not self._job.state.final:
            return 0
        if not self._session.as_json:
            self._session.talk.say(outcome_line(self._job), outcome_style(self._job))
        return self._job.exit_code


class _Out:
    """Writes pieces: as bytes, as lines, or as a JSON document each."""

    def __init__(
        self, session: Session, query: LogQuery, ranks: Sequence[int], attempt: int
    ) -> None:
        self._session, self._query, self._attempt = session, query, attempt
        several = len(ranks) > 1
        self._lines = {
            rank: LogLines(rank if several else None, query.pattern) for rank in ranks
        }

    def piece(self, piece: Piece) -> None:
        if self._query.raw and not self._session.as_json:
            sys.stdout.buffer.write(piece.data)
            sys.stdout.buffer.flush()
        else:
            self._write(piece.rank, self._lines[piece.rank].take(piece.data))

    def end(self, rank: int) -> None:
        self._write(rank, self._lines[rank].end())

    def _write(self, rank: int, lines: Iterable[str]) -> None:
        for line in lines:
            if self._session.as_json:
                data = {"attempt": self._attempt, "rank": rank, "line": line}
                self._session.answer("logs.line", data)
            else:
                self._session.write(line)
        sys.stdout.flush()


def _ranks(
    client: Client, query: LogQuery, attempt: int, job: JobView | None = None
) -> tuple[int, ...]:
    if query.rank is not None:
        return (query.rank,)
    found = sorted(
        {
            file.rank
            for file in log_files(client, query.job.key)
            if file.attempt == attempt
        }
    )
    if found:
        return tuple(found)
    if job is not None:
        return tuple(replica.replica for replica in job.replicas) or (0,)
    raise _no_logs(query.job, attempt)


def _no_logs(job: JobView, attempt: int) -> OrchError:
    if job.tasks is not None:
        return OrchError.of(
            Code.NO_SUCH_JOB,
            f"{job.label.lower()} is an array: its tasks have logs of their own",
            fix=f"orch logs {job.key}.0, and so on",
        )
    return OrchError.of(
        Code.NO_SUCH_JOB,
        f"{job.label.lower()} has no logs of attempt {attempt}",
        facts=(f"it is {job.state}",),
        fix=f"orch explain {job.key}",
    )


def _began(job: JobView, attempt: int) -> bool:
    if attempt < job.attempt or job.state.final:
        return True
    return job.state not in (State.PENDING, State.LOADING)


def _document(
    session: Session,
    client: Client,
    query: LogQuery,
    attempt: int,
    ranks: Sequence[int],
) -> int:
    logs = []
    for rank in ranks:
        lines = LogLines(None, query.pattern)
        text: list[str] = []
        for piece in read_log(client, query.job.key, rank, attempt, query.start):
            text += lines.take(piece.data)
        logs.append({"rank": rank, "lines": [*text, *lines.end()]})
    session.answer(
        "logs", {"job": str(query.job.key), "attempt": attempt, "logs": logs}
    )
    return 0
