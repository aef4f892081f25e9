"""The base of every part of a job file."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema


class Section(BaseModel):
    """Base of every part of a job file: frozen, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, value: object) -> object:
        """A section whose every line is commented out is there, with no fields."""
        return {} if value is None else value


def or_short(
    core_schema: CoreSchema, handler: GetJsonSchemaHandler, *short: dict[str, Any]
) -> dict[str, Any]:
    """JSON Schema of a section that can also be written in a short form."""
    whole = handler.resolve_ref_schema(handler(core_schema))
    return {"anyOf": [*short, whole]}
