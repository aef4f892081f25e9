"""Showing something again and again, until Ctrl-C."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.cli.session import Session, now
from orchestrator.errors import EXIT_INTERRUPTED
from orchestrator.render.words import clock

Draw = Callable[[list[str]], None]


def keep_showing(
    session: Session, every_s: float, lines: Callable[[], list[str]]
) -> int:
    """Show what `lines` returns, every `every_s` seconds; ends with Ctrl-C.

    On a terminal the screen is drawn anew; elsewhere the lines are printed again,
    under the time of day, so that a log of them can be read.
    """
    pause = threading.Event()
    try:
        with _drawing() if _can_draw(session) else _printing(session) as draw:
            while True:
                draw(lines())
                pause.wait(every_s)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _can_draw(session: Session) -> bool:
    return session.talk.moves and sys.stdout.isatty() and not session.as_json


@contextmanager
def _printing(session: Session) -> Iterator[Draw]:
    def draw(lines: list[str]) -> None:
        if not (session.as_json or session.quiet):
            session.write(f"{clock(now())}")
        session.write_all(lines)
        sys.stdout.flush()

    yield draw


@contextmanager
def _drawing() -> Iterator[Draw]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    with Live(console=console, auto_refresh=False, screen=True) as live:

        def draw(lines: list[str]) -> None:
            text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
            live.update(text, refresh=True)

        yield draw
