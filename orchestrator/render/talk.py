"""Everything said to people: stderr, through one rich console."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console

_ASCII = str.maketrans(
    {
        "✓": "*",
        "✗": "x",
        "·": "-",
        "\N{EN DASH}": "-",
        "→": "->",
        "…": "...",
        "│": "|",
        "\N{MULTIPLICATION SIGN}": "x",
    }
)


class Talk:
    """Says lines to a person.

    Text is never read as markup: names and messages come from files and programs.

    Args:
        quiet: Only warnings and errors.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(
            stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True
        )

    @property
    def moves(self) -> bool:
        """Somebody looks on, at a terminal where a display can move."""
        unwanted = self.quiet or os.environ.get("ORCH_NO_PROGRESS")
        still = self.console.is_dumb_terminal or not self.console.is_terminal
        return not (unwanted or still)

    def say(self, line: str, style: str = "") -> None:
        """A line that may be left out when quiet."""
        if not self.quiet:
            self.warn(line, style)

    def say_all(self, lines: Iterable[str], style: str = "") -> None:
        """Several lines that may be left out when quiet."""
        for line in lines:
            self.say(line, style)

    def warn(self, line: str, style: str = "yellow") -> None:
        """A line that is said in any case."""
        self.console.print(self._writable(line), style=style or None)

    def _writable(self, text: str) -> str:
        utf8 = self.console.encoding.lower().replace("-", "") == "utf8"
        return text if utf8 else text.translate(_ASCII)


def clock(now: datetime) -> str:
    """The time of day in front of a line."""
    return now.strftime("%H:%M:%S")
