"""The text of a job file, and how to point at a place in it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# What YAML counts as the end of a line.
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of one line; all numbers count from one.

    Attributes:
        line: Its line.
        column: Its first character.
        end: The character after its last; `column` for a point.
        origin: What was written elsewhere, such as `--set a=b`; empty in the file.
    """

    line: int
    column: int
    end: int
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A document's name, as the user wrote it, and its lines."""

    name: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, name: str, text: str) -> Source:
        """The source of a text."""
        return cls(name, tuple(_LINE_END.split(text)))

    def at(self, span: Span) -> str:
        """Where the span stands, as `file:line:column`."""
        return span.origin or f"{self.name}:{span.line}:{span.column}"

    def excerpt(self, span: Span) -> tuple[str, ...]:
        """The span's line under the one before it, and a caret line."""
        if span.origin or span.line > len(self.lines):
            return ()
        numbers = [n for n in (span.line - 1, span.line) if n > 0]
        gutter = max(4, len(str(span.line)))
        start = _window(span)
        shown = [
            f"{n:>{gutter}} │ {_cut(self.lines[n - 1], start)}".rstrip()
            for n in numbers
            if self.lines[n - 1].strip() or n == span.line
        ]
        return (*shown, f"{'':>{gutter}} │ {self._caret(span, start)}")

    def _caret(self, span: Span, start: int) -> str:
        line = self.lines[span.line - 1]
        before = line[start : span.column - 1].ljust(span.column - 1 - start)
        marked = line[span.column - 1 : min(span.end - 1, start + _WIDTH)]
        return " " * _cells(before) + "^" * max(1, _cells(marked))


def _window(span: Span) -> int:
    """Where a long line is cut on the left, so that the span is seen."""
    return 0 if span.column < _WIDTH - 20 else span.column - 20


def _cut(line: str, start: int) -> str:
    visible = line[start : start + _WIDTH]
    return "".join(char if char.isprintable() else " " for char in visible)


def _cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(_char_cells(char) for char in text)


def _char_cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
