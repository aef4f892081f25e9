"""One job file, many tasks: a range of numbers, or every mix of some values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from orchestrator.spec.section import Section, or_short
from orchestrator.spec.values import Count, conflict, text_like

MAX_TASKS = 10_000

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
_NUMBERS = r"[0-9]{1,9}-[0-9]{1,9}(:[0-9]{1,9})?"

Scalar: TypeAlias = str | int | float | bool
_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})(?::([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class IndexRange:
    """Numbers from `first` to `last`, both of them in it, `step` apart."""

    first: int
    last: int
    step: int = 1

    @property
    def numbers(self) -> range:
        """All of them."""
        return range(self.first, self.last + 1, self.step)

    def __str__(self) -> str:
        """As it is written: `0-31`, `0-31:2`."""
        step = f":{self.step}" if self.step != 1 else ""
        return f"{self.first}-{self.last}{step}"


def _range(value: object) -> object:
    if value is None or isinstance(value, IndexRange):
        return value
    if match := _RANGE.fullmatch(str(value)):
        found = IndexRange(int(match[1]), int(match[2]), int(match[3] or 1))
        if found.step and found.numbers:
            return found
    raise ValueError('expected a range of numbers such as "0-31", or "0-31:2"')


def _range_text(value: IndexRange | None) -> str | None:
    return None if value is None else str(value)


def _scalar(value: object) -> object:
    finite = not isinstance(value, float) or math.isfinite(value)
    if isinstance(value, Scalar) and finite and "\0" not in str(value):
        return value
    raise ValueError("expected text, a number, or true or false")


def scalar_text(value: Scalar) -> str:
    """A value as it is put into texts: as YAML and JSON write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _different(values: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    if not values:
        raise ValueError("expected a list of one value or more")
    texts = [scalar_text(value) for value in values]
    for position, text in enumerate(texts):
        if text in texts[:position]:
            raise conflict(position, "expected each value once")
    return values


def _name(value: str) -> str:
    if not re.fullmatch(_NAME, value):
        raise ValueError("expected letters, digits and '_', no digit first")
    return value


Name = Annotated[str, AfterValidator(_name)]
Values = Annotated[
    tuple[Annotated[Scalar, BeforeValidator(_scalar)], ...], AfterValidator(_different)
]
Numbers = Annotated[
    IndexRange | None,
    BeforeValidator(_range),
    PlainSerializer(_range_text, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "null"}, text_like(_NUMBERS)]}),
]
Matrix = Annotated[
    dict[Name, Values] | None,
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": f"^{_NAME}$"},
            "additionalProperties": {
                "type": "array",
                "minItems": 1,
                "items": {"type": ["string", "number", "boolean"]},
            },
        }
    ),
]


class Array(Section):
    """Many tasks from one job file: `range` or `matrix`, one of them."""

    range: Numbers = None
    """A task for each number, such as `0-31` or `0-31:2`; `{index}` is the number."""
    matrix: Matrix = None
    """A task for every mix of values: `{matrix.NAME}` is one, `{index}` counts them."""
    max_parallel: Count | None = None
    """Tasks that run at one time; `None`: as many as fit."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        """`0-31%4` -> the section it stands for."""
        if not isinstance(value, str):
            return value
        numbers, percent, most = value.partition("%")
        return {"range": numbers, **({"max_parallel": most} if percent else {})}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The section, or the text that stands for one."""
        short = text_like(f"{_NUMBERS}(%[0-9]{{1,9}})?")
        whole = or_short(core_schema, handler, short)
        one = [{"required": ["range"]}, {"required": ["matrix"]}]
        whole["anyOf"][-1]["anyOf"] = one
        return whole

    @model_validator(mode="after")
    def _one_source(self) -> Array:
        if self.range is None and not self.matrix:
            raise PydanticCustomError(
                "missing_one_of", "either 'range' (numbers) or 'matrix' (values)"
            )
        if self.range is not None and self.matrix is not None:
            raise conflict("matrix", "expected either 'range' or 'matrix', not both")
        if self.size > MAX_TASKS:
            field = "range" if self.matrix is None else "matrix"
            raise conflict(
                field, f"{self.size:,} tasks, expected at most {MAX_TASKS:,}"
            )
        _differ_in_capitals(self.matrix or {})
        return self

    @property
    def size(self) -> int:
        """How many tasks there are."""
        if self.range is not None:
            return len(self.range.numbers)
        return math.prod(len(values) for values in (self.matrix or {}).values())


def _differ_in_capitals(matrix: Mapping[str, object]) -> None:
    """A task's environment has the names in capitals."""
    seen: set[str] = set()
    for name in matrix:
        if name.upper() in seen:
            message = "expected names that differ in more than their capitals"
            raise conflict(("matrix", name), message)
        seen.add(name.upper())
