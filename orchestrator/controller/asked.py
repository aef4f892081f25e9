"""What a request asks for, out of its query and its body, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from orchestrator.controller.logs import PIECE_BYTES, Asked
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.events import CancelRequested, RetryMode
from orchestrator.lifecycle.states import State

DEFAULT_LIMIT = 200
MAX_LIMIT = 10_000

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Which jobs to list.

    Attributes:
        states: Only these; `None`: all.
        limit: How many at most.
        kind: Only of this kind, if it is named.
        prefix: Only those whose names begin so.
        newest: By number alone; else those at work come first.
    """

    states: tuple[State, ...] | None
    limit: int
    kind: str
    prefix: str
    newest: bool

    @classmethod
    def of(cls, query: Query, *, every: bool = False) -> Listing:
        """The query of GET /v1/jobs; `every`: also those that are over, unasked.

        Raises:
            OrchError: E203.
        """
        every = every or query.get("all") == "1" or "state" in query
        unfinished = tuple(state for state in State if not state.final)
        named = _states(query["state"]) if query.get("state") else None
        return cls(
            states=named if every else unfinished,
            limit=min(whole(query, "limit", DEFAULT_LIMIT), MAX_LIMIT),
            kind=query.get("kind", ""),
            prefix=query.get("name", ""),
            newest=query.get("order") == "newest",
        )


def log_part(request: Request) -> Asked:
    """The part of a log that a request asks for.

    Raises:
        OrchError: E203.
    """
    query = request.query_params
    rank = request.path_params["rank"]
    if not (rank.isascii() and rank.isdecimal() and len(rank) < 10):
        raise _bad(f"'{rank[:40]}' is no rank")
    return Asked(
        rank=int(rank),
        attempt=whole(query, "attempt", 0),
        offset=whole(query, "offset", 0),
        limit=max(1, whole(query, "limit", PIECE_BYTES)),
        tail=whole(query, "tail", 0) if "tail" in query else None,
        since_s=number(query, "since_s", 0.0) if "since_s" in query else None,
    )


def cancel_wish(body: Mapping[str, Any]) -> CancelRequested:
    """The body of POST /v1/jobs/{key}/cancel.

    Raises:
        OrchError: E203.
    """
    force, grace_s = body.get("force", False), body.get("grace_s")
    reason = body.get("reason", "")
    if not isinstance(force, bool):
        raise _bad("'force' is neither true nor false")
    if grace_s is not None and not _is_duration(grace_s):
        raise _bad("'grace_s' is not a number of seconds")
    if not isinstance(reason, str) or not reason.isprintable():
        raise _bad("'reason' is not a line of text")
    return CancelRequested(force, grace_s, reason[:500])


def retry_mode(body: Mapping[str, Any]) -> RetryMode:
    """The body of POST /v1/jobs/{key}/retry.

    Raises:
        OrchError: E203.
    """
    try:
        return RetryMode(body.get("mode", RetryMode.RESUME))
    except ValueError as error:
        modes = ", ".join(RetryMode)
        raise _bad(f"'mode' is none of {modes}") from error


def number(query: Query, name: str, default: float) -> float:
    """A number of a query.

    Raises:
        OrchError: E203, it is none, or below 0.
    """
    text = query.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise _bad(f"'{name}' is not a number") from error
    if not math.isfinite(value) or (value < 0 and value != default):
        raise _bad(f"'{name}' is not a number that can be used")
    return value


def whole(query: Query, name: str, default: int) -> int:
    """A whole number of a query, from 0.

    Raises:
        OrchError: E203, it is none.
    """
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise _bad(f"'{name}' is not a whole number")
    return int(text)


def instant(query: Query, name: str) -> str:
    """An instant of a query, RFC 3339 in UTC; the beginning of time without one.

    Raises:
        OrchError: E203, it is none.
    """
    text = query.get(name)
    if not text:
        return "0001-01-01T00:00:00.000+00:00"
    try:
        found = datetime.fromisoformat(text)
        zoned = found if found.tzinfo else found.replace(tzinfo=UTC)
        return zoned.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as error:
        raise _bad(f"'{name}' is not an instant of RFC 3339") from error


def _states(text: str) -> tuple[State, ...]:
    try:
        return tuple(State(word.strip().upper()) for word in text.split(","))
    except ValueError as error:
        raise _bad(f"'state': there are {', '.join(State)}") from error


def _is_duration(value: object) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and 0 <= value < 1e9  # type: ignore[operator]


def _bad(message: str) -> OrchError:
    return OrchError.of(Code.BAD_VALUE, message)
