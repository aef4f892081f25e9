"""The kinds of job there are."""

from __future__ import annotations

from orchestrator.spec.suggest import closest

KINDS = ("batch", "command")


def known_kind(value: object) -> object:
    """The value, if it is a kind of job.

    Raises:
        ValueError: It is none; the kinds are listed.
    """
    if value in KINDS:
        return value
    meant = closest(value, KINDS) if isinstance(value, str) else None
    hint = f" (did you mean '{meant}'?)" if meant else ""
    raise ValueError(f"expected one of: {', '.join(KINDS)}{hint}")
