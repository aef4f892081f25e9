"""Times in a job file: how they are read, written and shown to editors."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from orchestrator.spec.values import text_like
from orchestrator.units import parse_duration

_DURATION = r"(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+(\.[0-9]+)?\s?s)?"


def _duration(value: object) -> float:
    with suppress(ValueError):
        if isinstance(value, str):
            return parse_duration(value)
    if value == 0 and not isinstance(value, bool):
        return 0.0
    raise ValueError("expected a duration such as 90s, 15m or 2h")


def _limit(value: object) -> float | None:
    if value is None:
        return None
    if (seconds := _duration(value)) > 0:
        return seconds
    raise ValueError("expected a duration above zero, such as 90s, 15m or 2h")


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause before another attempt, in seconds: the first one, and the longest."""

    first_s: float
    most_s: float


def _backoff(value: object) -> Backoff:
    if isinstance(value, Backoff):
        return value
    with suppress(ValueError):
        if isinstance(value, str):
            first, _, most = value.partition("..")
            pause = Backoff(parse_duration(first), parse_duration(most or first))
            if pause.first_s <= pause.most_s:
                return pause
    raise ValueError('expected a range of durations such as "10s..5m"')


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def _limit_text(seconds: float | None) -> str | None:
    return None if seconds is None else _seconds_text(seconds)


def _backoff_text(pause: Backoff) -> str:
    return f"{_seconds_text(pause.first_s)}..{_seconds_text(pause.most_s)}"


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(_seconds_text, str, when_used="json"),
    WithJsonSchema({"anyOf": [{"const": 0}, text_like(_DURATION)]}),
]
Limit = Annotated[
    float | None,
    BeforeValidator(_limit),
    PlainSerializer(_limit_text, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "null"}, text_like(_DURATION)]}),
]
BackoffRange = Annotated[
    Backoff,
    BeforeValidator(_backoff),
    PlainSerializer(_backoff_text, str, when_used="json"),
    WithJsonSchema(text_like(rf"{_DURATION}(\.\.{_DURATION})?")),
]
