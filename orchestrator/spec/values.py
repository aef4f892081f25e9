"""The kinds of value a job file's fields take, and how each is read and written."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from orchestrator.units import parse_duration, parse_memory


def _memory(value: object) -> int | None:
    if value == "auto":
        return None
    with suppress(ValueError):
        amount = parse_memory(value) if isinstance(value, str) else 0
        if amount >= 1:
            return amount
    raise ValueError("expected an amount of memory such as 20GiB, or auto")


def _duration(value: object) -> float:
    with suppress(ValueError):
        if isinstance(value, str):
            return parse_duration(value)
    if value == 0 and not isinstance(value, bool):
        return 0.0
    raise ValueError("expected a duration such as 90s, 15m or 2h")


def _whole(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a whole number")
    return value


def _entry(value: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", value):
        raise ValueError("expected module:Class, such as my_model:MyModel")
    return value


def _output_path(value: str) -> str:
    for name in re.findall(r"\{(.*?)\}", value):
        if name not in ("id", "name"):
            raise ValueError("expected no names in braces but {id} and {name}")
    return value


def conflict(field: str, message: str) -> PydanticCustomError:
    """A section whose fields do not go together; `field` is the one to change."""
    facts = {"field": field, "message": message}
    return PydanticCustomError("conflict", "{message}", facts)


def _max_failed(value: object) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?%", value):
        return value
    raise ValueError("expected a number of rows such as 10, or a share such as 1%")


def _memory_text(value: int | None) -> str:
    return "auto" if value is None else f"{value}B"


# As JSON the job is written the way it is read: it goes over HTTP and back.
Memory = Annotated[
    int | None,
    BeforeValidator(_memory),
    PlainSerializer(_memory_text, when_used="json"),
]
Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(lambda seconds: f"{seconds:.9f}s", str, when_used="json"),
]

Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, Field(min_length=1)]
Entry = Annotated[str, AfterValidator(_entry)]
MaxFailed = Annotated[str | int, BeforeValidator(_max_failed)]
OutputPath = Annotated[Text, AfterValidator(_output_path)]
