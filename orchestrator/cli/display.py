"""A followed job on stderr: lines for what is new, and a bar on a terminal."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from orchestrator.client.views import JobView
from orchestrator.render.story import Story
from orchestrator.render.talk import Talk

if TYPE_CHECKING:
    from orchestrator.render.bar import Bar


class Display:
    """Shows one job as it changes; close it before anything else is printed."""

    def __init__(self, talk: Talk, began: datetime) -> None:
        self._talk = talk
        self._story = Story(began, regular=not talk.moves)
        self._stack = ExitStack()
        self._bar: Bar | None = None
        self._job: JobView | None = None

    def __enter__(self) -> Self:
        self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause()

    def resume(self) -> None:
        """Bring the bar back."""
        if self._talk.moves:
            from orchestrator.render.bar import Bar

            self._bar = self._stack.enter_context(Bar(self._talk.console))

    def pause(self) -> None:
        """Take the bar away."""
        self._bar = None
        self._stack.close()

    def show(self, job: JobView, now: datetime) -> None:
        """The job has changed."""
        self._job = job
        if self._bar is not None:
            self._bar.show(job)
        self._talk.say_all(self._story.lines(job, now))

    def tick(self, now: datetime) -> None:
        """Time has passed."""
        if self._job is not None:
            self._talk.say_all(self._story.lines(self._job, now))
