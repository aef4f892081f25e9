"""Everything said to people: stderr, with colour only where somebody sees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

Colour = Literal["auto", "always", "never"]

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
        colour: `auto`: as the terminal and NO_COLOR or FORCE_COLOR have it.
        progress: Whether progress may be shown at all, moving or line by line.
    """

    def __init__(
        self, *, quiet: bool = False, colour: Colour = "auto", progress: bool = True
    ) -> None:
        self.quiet = quiet
        self.progress = progress and not os.environ.get("ORCH_NO_PROGRESS")
        self._colour = colour

    @cached_property
    def console(self) -> Console:
        """Rich's console on stderr; it takes 40 ms to import, so only when needed."""
        console: Console = import_module("rich.console").Console(
            stderr=True,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            no_color=True if self._colour == "never" else None,
            force_terminal=True if self._colour == "always" else None,
        )
        return console

    @property
    def moves(self) -> bool:
        """Somebody looks on, at a terminal where a display can move."""
        still = os.environ.get("TERM", "dumb") in ("dumb", "unknown")
        return self.progress and not (self.quiet or still) and sys.stderr.isatty()

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
        text = self._writable(line)
        if "console" in self.__dict__ or (style and self._may_colour):
            self.console.print(text, style=style or None)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201  this is its door

    @property
    def _may_colour(self) -> bool:
        if self._colour != "auto":
            return self._colour == "always"
        return sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))

    def _writable(self, text: str) -> str:
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        utf8 = encoding.lower().replace("-", "") == "utf8"
        return text if utf8 else text.translate(_ASCII)
