"""The identity of a job everywhere: `42`, or `42.3` for a task of an array."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.errors import Code, OrchError

_KEY = re.compile(r"([1-9][0-9]{0,17})(?:\.(0|[1-9][0-9]{0,8}))?", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class JobKey:
    """A job by its number, or one task of an array job. Ordered as submitted."""

    number: int
    task: int = -1
    """The task's index; -1: the job itself."""

    @classmethod
    def parse(cls, text: str) -> JobKey:
        """The key that `str` of it wrote.

        Raises:
            OrchError: E301, the text is none.
        """
        match = _KEY.fullmatch(text)
        if match is None:
            raise OrchError.of(
                Code.NO_SUCH_JOB,
                f"'{text[:80]}' is no job",
                fix="write it like 42, or 42.3 for a task of an array",
            )
        return cls(int(match[1]), int(match[2]) if match[2] else -1)

    @property
    def is_task(self) -> bool:
        """Whether it is one of an array's tasks."""
        return self.task >= 0

    @property
    def whole(self) -> JobKey:
        """The array job that a task belongs to; a plain job's own key."""
        return JobKey(self.number)

    def __str__(self) -> str:
        return f"{self.number}.{self.task}" if self.is_task else str(self.number)
