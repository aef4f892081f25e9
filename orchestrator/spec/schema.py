"""The job file as JSON Schema, for editors: what users write, not what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from orchestrator.spec.docstrings import docstrings
from orchestrator.spec.fields import sections_of
from orchestrator.spec.job import JOBS, Job

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def job_schema(kind: str | None = None) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a job file.

    Args:
        kind: One of `KINDS`; `None`: of all kinds, told apart by their `kind`.
    """
    if kind is None:
        schema = TypeAdapter[Job](Job).json_schema()
        title = "A job for orch"
    else:
        schema = JOBS[kind].model_json_schema()
        title = f"A job of kind {kind} for orch"
    said = {
        model.__name__: docstrings(model)
        for root in JOBS.values()
        for model in sections_of(root)
    }
    written = _as_written(schema, said)
    return {"$schema": DRAFT, **written, "title": title}


def _as_written(part: Any, said: Mapping[str, Mapping[str, str]]) -> Any:  # noqa: ANN401
    """The schema for people: with what fields mean, without odd defaults."""
    if isinstance(part, list):
        return [_as_written(inner, said) for inner in part]
    if not isinstance(part, dict):
        return part
    found = {name: _as_written(inner, said) for name, inner in part.items()}
    for name, field in found.get("properties", {}).items():
        if text := said.get(found.get("title", ""), {}).get(name):
            field["description"] = text.replace("`None`", "left out")
        # An amount that is parsed: its default here is not how one would write it.
        if isinstance(field.get("default", 0.0), Mapping | float | None):
            field.pop("default", None)
    return found
