"""What must hold of a run when it is over, whoever was killed in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from orchestrator.client.views import JobView
from orchestrator.errors import EXIT_UNREACHABLE
from orchestrator.lifecycle.key import JobKey
from orchestrator.lifecycle.states import State
from tests.faults.kills import Kill
from tests.faults.ledger import Span, spans
from tests.faults.load import Piece
from tests.faults.run import Outcome

UNWITNESSED_S = 0.5
"""Who kills a command's guard within so long of its end, before or after, may leave
nobody who knows of that end; then it is run again. It is that long on a machine with
more to do than it has cores: the end has to reach the disk."""
WITNESSES = ("agent", "keeper", "shim", "command")


def violations(outcome: Outcome) -> list[str]:
    """Each promise that was not kept, in a sentence."""
    return [
        *_lost(outcome),
        *_wrong_ends(outcome),
        *_ran_twice(outcome),
        *_ran_beside_itself(outcome),
        *_too_many_at_once(outcome),
        *_out_of_order(outcome),
        *_wrong_rows(outcome),
        *_wrong_exit(outcome),
    ]


def unwitnessed(outcome: Outcome) -> int:
    """Commands that were run again because nobody was left who knew of their end."""
    ends = Counter(span.key for span in spans(outcome.ledger))
    return sum(number - 1 for number in ends.values())


def _unseen(span: Span, kills: list[Kill]) -> bool:
    return any(
        kill.who in WITNESSES and abs(kill.at - span.ended) < UNWITNESSED_S
        for kill in kills
    )


def _piece(outcome: Outcome, view: JobView) -> Piece:
    name = view.name.removeprefix(f"s{outcome.seed}-")
    return next(piece for piece in outcome.load.pieces if piece.name == name)


def _lost(outcome: Outcome) -> Iterator[str]:
    for name, number in outcome.ids.items():
        if JobKey(number) not in outcome.views:
            yield f"job {number} ({name}) was accepted and is lost"
    for key, view in outcome.views.items():
        piece = _piece(outcome, view)
        tasks = [one for one in outcome.views if one.is_task and one.whole == key]
        if not key.is_task and len(tasks) != piece.tasks:
            yield f"job {key} ({piece.name}) has {len(tasks)} tasks of {piece.tasks}"


def _wrong_ends(outcome: Outcome) -> Iterator[str]:
    for key, view in outcome.views.items():
        piece = _piece(outcome, view)
        if view.state not in piece.ends:
            faults = "; ".join(fault.message for fault in view.faults)
            wanted = " or ".join(piece.ends)
            yield f"job {key} ({piece.name}) is {view.state}, not {wanted}: {faults}"


def _ran_twice(outcome: Outcome) -> Iterator[str]:
    every = spans(outcome.ledger)
    seen = Counter(span.key for span in every if not _unseen(span, outcome.kills))
    ended = Counter(span.key for span in every)
    starts = Counter(line.key for line in outcome.ledger if line.word == "start")
    for key, view in outcome.views.items():
        piece = _piece(outcome, view)
        if seen[key] > 1:
            yield f"job {key} ({piece.name}) ran to its end {seen[key]} times"
        if piece.once and starts[key] > 1:
            yield f"job {key} ({piece.name}) was started {starts[key]} times"
        works = view.command is not None and piece.whole and not view.tasks
        if works and view.state is State.SUCCEEDED and not ended[key]:
            yield f"job {key} ({piece.name}) SUCCEEDED and never came to its end"
        if view.state is State.SKIPPED and starts[key]:
            yield f"job {key} ({piece.name}) is SKIPPED and was started"


def _ran_beside_itself(outcome: Outcome) -> Iterator[str]:
    newest: dict[JobKey, int] = {}
    for line in outcome.ledger:
        if line.attempt < newest.get(line.key, 0):
            yield (
                f"job {line.key}: attempt {line.attempt} says '{line.word}' after "
                f"attempt {newest[line.key]} began"
            )
        newest[line.key] = max(line.attempt, newest.get(line.key, 0))


def _too_many_at_once(outcome: Outcome) -> Iterator[str]:
    every = spans(outcome.ledger)
    for number, view in outcome.views.items():
        limit = _piece(outcome, view).parallel
        if number.is_task or not limit:
            continue
        tasks = [span for span in every if span.key.number == number.number]
        for span in tasks:
            beside = [s for s in tasks if s.began <= span.began < s.ended]
            if len(beside) > limit:
                keys = ", ".join(str(one.key) for one in beside)
                yield f"array {number} of {limit} at a time ran {keys} together"


def _out_of_order(outcome: Outcome) -> Iterator[str]:
    starts = {line.key: line.at for line in reversed(outcome.ledger)}
    for key, view in outcome.views.items():
        for number, _ in view.after:
            before = outcome.views[JobKey(number)].finished_at
            began = starts.get(key)
            # A thousandth: the times of jobs are cut to it.
            if before and began and began < before.timestamp() - 0.001:
                yield f"job {key} began before job {number}, which it comes after"


def _wrong_rows(outcome: Outcome) -> Iterator[str]:
    for key, view in outcome.views.items():
        rows = _piece(outcome, view).rows
        if rows and view.state is State.SUCCEEDED:
            wrong = _compare(view.results, rows)
            if wrong:
                yield f"job {key}: {wrong}"


def _compare(results: str | None, rows: int) -> str:
    if results is None:
        return "it SUCCEEDED and names no results"
    found = [json.loads(line) for line in Path(results).read_text().splitlines()]
    numbers = [row["row"] for row in found]
    if numbers != list(range(rows)):
        twice = [number for number, times in Counter(numbers).items() if times > 1]
        missing = sorted(set(range(rows)) - set(numbers))
        return f"{len(found)} of {rows} rows; twice: {twice}; missing: {missing}"
    wrong = [
        row["row"]
        for row in found
        if (row["id"], row["output"]) != (f"r{row['row']}", [2.0 * row["row"]])
    ]
    return f"rows with another's id or result: {wrong}" if wrong else ""


def _wrong_exit(outcome: Outcome) -> Iterator[str]:
    # It waits for half a minute for a controller, and says so: that is kept, too.
    away = any(kill.who == "controller" for kill in outcome.kills)
    allowed = (None, 0, EXIT_UNREACHABLE) if away else (None, 0)
    if outcome.attached not in allowed:
        yield f"the attached command line returned {outcome.attached}: {outcome.said}"
