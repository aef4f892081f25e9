"""What the commands of a run say of themselves: a line as each begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.lifecycle.key import JobKey

FOLDER = "FAULTS_RUN"
"""In the environment of every command: the folder of its run, with the ledger."""


def says(word: str) -> str:
    """Shell that appends a line, in one write."""
    line = f"$ORCH_JOB_KEY $ORCH_ATTEMPT {word} $EPOCHREALTIME"
    return f'echo "{line}" >> "${FOLDER}/ledger"'


@dataclass(frozen=True, slots=True)
class Line:
    """One line: an attempt began, or was through with its work."""

    key: JobKey
    attempt: int
    word: str
    at: float


@dataclass(frozen=True, slots=True)
class Span:
    """An attempt that did all of its work."""

    key: JobKey
    attempt: int
    began: float
    ended: float


def read_ledger(folder: Path) -> list[Line]:
    """All whole lines, in the order in which they were written."""
    path = folder / "ledger"
    if not path.exists():
        return []
    text = path.read_text()
    return [_line(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]


def spans(lines: list[Line]) -> list[Span]:
    """The attempts that came to their end, each as often as it did."""
    began: dict[tuple[JobKey, int], float] = {}
    found: list[Span] = []
    for line in lines:
        ident = (line.key, line.attempt)
        if line.word == "start":
            began[ident] = line.at
        elif line.word == "end":
            found.append(Span(line.key, line.attempt, began[ident], line.at))
    return found


def _line(text: str) -> Line:
    key, attempt, word, at = text.split()
    return Line(JobKey.parse(key), int(attempt), word, float(at))
