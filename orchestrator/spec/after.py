"""The jobs that a job waits for."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from orchestrator.spec.section import Section, or_short
from orchestrator.spec.values import JOB_NAME, conflict, text_like


class When(StrEnum):
    """How another job must have ended."""

    OK = "ok"
    ANY = "any"
    FAIL = "fail"

    def allows(self, state: str) -> bool:
        """Whether a job that ended in this state (`SUCCEEDED`, ...) is good enough."""
        return self is When.ANY or (state == "SUCCEEDED") == (self is When.OK)


def _after(value: object) -> object:
    """`41`, `prepare`, `41:any` -> the section it stands for."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"job": value}
    if isinstance(value, str):
        job, _, when = value.partition(":")
        return {"job": job, "when": when or When.OK}
    if isinstance(value, dict | After):
        return value
    raise ValueError(_JOB)


def _job(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and re.fullmatch(JOB_NAME, value):
        return value
    raise ValueError(_JOB)


_JOB = "expected a job's id such as 41, or the name of another job of this file"


_ID: dict[str, Any] = {"type": "integer", "minimum": 1}
_NAMED = {"anyOf": [_ID, text_like(JOB_NAME)]}
_SHORT = (_ID, text_like(rf"{JOB_NAME}(:(ok|any|fail))?"))


class After(Section):
    """A job that must have ended before this one starts."""

    job: Annotated[int | str, BeforeValidator(_job), WithJsonSchema(_NAMED)]
    """Its id, or the name of another job of the same file."""
    when: When = When.OK

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The section, or the text that stands for one."""
        return or_short(core_schema, handler, *_SHORT)

    """`ok`: it succeeded; `fail`: it did not; `any`: it ended, however."""


def _each_once(after: tuple[After, ...]) -> tuple[After, ...]:
    seen: set[int | str] = set()
    for position, item in enumerate(after):
        if item.job in seen:
            raise conflict(position, f"job {item.job} is there twice")
        seen.add(item.job)
    return after


Dependency = Annotated[
    After,
    BeforeValidator(_after),
]
Dependencies = Annotated[tuple[Dependency, ...], AfterValidator(_each_once)]
