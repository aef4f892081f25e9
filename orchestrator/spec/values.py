"""The kinds of value a job file's fields take, and how each is read and written."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from orchestrator.units import parse_memory

JOB_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,254}"
_MEMORY = r"[0-9]+(\.[0-9]+)?\s*([KMGT](i?B)?|B)"
_MOST_CORES = 1_000_000


def text_like(pattern: str) -> dict[str, Any]:
    """JSON Schema of text that matches a pattern as a whole."""
    return {"type": "string", "pattern": f"^{pattern}$"}


def _memory(value: object) -> int | None:
    if value == "auto":
        return None
    with suppress(ValueError):
        amount = parse_memory(value) if isinstance(value, str) else 0
        if amount >= 1:
            return amount
    raise ValueError("expected an amount of memory such as 20GiB, or auto")


def _whole(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a whole number")
    return value


def _entry(value: str) -> str:
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", value):
        raise ValueError("expected module:Class, such as my_model:MyModel")
    return value


def _cores(value: object) -> float | None:
    if value is None:
        return None
    number = value if isinstance(value, int | float) else 0
    if 0 < number <= _MOST_CORES and not isinstance(value, bool):
        return float(number)
    raise ValueError("expected a number of CPU cores, such as 4 or 0.5")


def _env_name(value: str) -> str:
    if not re.fullmatch(_ENV_NAME, value):
        raise ValueError("expected letters, digits and '_', no digit first")
    return value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("expected text without NUL")
    return value


def _job_name(value: str) -> str:
    if not re.fullmatch(JOB_NAME, value):
        raise ValueError(
            "expected letters, digits, '.', '_' and '-', at most 63, "
            "a letter or digit first"
        )
    return value


def _command_line(value: object) -> object:
    if isinstance(value, str) and value.strip():
        return _no_nul(value)
    if not isinstance(value, list | tuple) or not value or value[0] == "":
        raise ValueError("expected a script, or a list such as [python, train.py]")
    for position, part in enumerate(value):
        if not isinstance(part, str) or "\0" in part:
            raise conflict(position, "expected text; put it in quotes")
    return tuple(value)


def _output_path(value: str) -> str:
    for name in re.findall(r"\{(.*?)\}", value):
        if name not in ("id", "name", "index") and not name.startswith("matrix."):
            raise ValueError("expected no names in braces but {id} and {name}")
    return _no_nul(value)


def conflict(
    field: str | int | tuple[str | int, ...], message: str
) -> PydanticCustomError:
    """A section whose fields do not go together; `field` is the one to change."""
    loc = field if isinstance(field, tuple) else (field,)
    facts = {"field": loc, "message": message}
    return PydanticCustomError("conflict", "{message}", facts)


_SHARE = r"(100(\.0{1,9})?|[0-9]{1,2}(\.[0-9]{1,9})?)%"
"""From `0%` to `100%`."""


def _max_failed(value: object) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(_SHARE, value):
        return value
    raise ValueError("expected a number of rows such as 10, or a share such as 1%")


def _memory_text(value: int | None) -> str:
    return "auto" if value is None else f"{value}B"


# As JSON the job is written the way it is read: it goes over HTTP and back.
Memory = Annotated[
    int | None,
    BeforeValidator(_memory),
    PlainSerializer(_memory_text, when_used="json"),
    WithJsonSchema({"anyOf": [{"const": "auto"}, text_like(_MEMORY)]}),
]
Whole = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[str, Field(min_length=1)]
Entry = Annotated[str, AfterValidator(_entry)]
MaxFailed = Annotated[
    str | int,
    BeforeValidator(_max_failed),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                text_like(_SHARE),
            ]
        }
    ),
]
Cores = Annotated[
    float | None,
    BeforeValidator(_cores),
    WithJsonSchema(
        {"anyOf": [{"type": "null"}, {"type": "number", "exclusiveMinimum": 0}]}
    ),
]
Count = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
ExitCode = Annotated[int, Field(ge=1, le=255), BeforeValidator(_whole)]
EnvName = Annotated[
    str, AfterValidator(_env_name), WithJsonSchema(text_like(_ENV_NAME))
]
EnvValue = Annotated[str, AfterValidator(_no_nul)] | None
Env = Annotated[
    dict[EnvName, EnvValue],
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": f"^{_ENV_NAME}$"},
            "additionalProperties": {"type": ["string", "null"]},
        }
    ),
]
JobName = Annotated[str, AfterValidator(_job_name), WithJsonSchema(text_like(JOB_NAME))]
CommandLine = Annotated[
    str | tuple[str, ...],
    BeforeValidator(_command_line),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"\S"},
                {"type": "array", "minItems": 1, "items": {"type": "string"}},
            ]
        }
    ),
]
Path = Annotated[Text, AfterValidator(_no_nul)]
OutputPath = Annotated[Text, AfterValidator(_output_path)]
