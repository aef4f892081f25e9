"""Instants as they are stored and shown: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now() -> str:
    """This instant."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def instant_in(delay_s: float) -> str:
    """The instant that comes after this many seconds."""
    instant = datetime.now(UTC) + timedelta(seconds=delay_s)
    return instant.isoformat(timespec="milliseconds")


def seconds_since(instant: str) -> float:
    """How long ago an instant of `now` was."""
    return (datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds()
