"""The global options before a command: `orch --json status` is `orch status --json`."""

from __future__ import annotations

from collections.abc import Sequence

_FLAGS = frozenset({"--json", "-q", "--quiet", "-v", "-vv", "--verbose", "--no-color"})
_WITH_VALUE = "--color"


def moved_behind(args: Sequence[str]) -> list[str]:
    """The command line with the global options behind the command's name."""
    count = _leading(args)
    # Alone, or before what is no command's name, they are the group's own.
    if count >= len(args) or args[count].startswith("-"):
        return list(args)
    return [args[count], *args[:count], *args[count + 1 :]]


def _leading(args: Sequence[str]) -> int:
    at = 0
    while at < len(args):
        if args[at] in _FLAGS or args[at].startswith(f"{_WITH_VALUE}="):
            at += 1
        elif args[at] == _WITH_VALUE:
            at += 2
        else:
            break
    return at
