"""Names and values of a job file, as they stand in messages."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 60


def plain(text: str) -> str:
    """The text on one line, cut if it is long, safe for a terminal."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(char if char.isprintable() else " " for char in cut)


def path_text(loc: Sequence[str | int]) -> str:
    """A place's name as people write it: `retry.on[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{plain(part)}"
    return text.removeprefix(".")


def subject(loc: Sequence[str | int], value: object) -> str:
    """A value's name and the value: `retry.on[0] 'oom'`, `name is empty`."""
    name = path_text(loc) or "the job file"
    match value:
        case None:
            return f"{name} is empty"
        case dict():
            return f"{name} is a section"
        case list():
            return f"{name} is a list"
        case bool():
            return f"{name} {str(value).lower()}"
        case str():
            return f"{name} '{plain(value)}'"
        case _:
            return f"{name} {value}"


def section_name(loc: Sequence[str | int]) -> str:
    """A section's name in a sentence: `'resources'`, or `the job file`."""
    return f"'{path_text(loc)}'" if loc else "the job file"
