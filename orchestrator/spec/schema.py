"""The job file as JSON Schema, for editors: what users write, not what comes out."""

from __future__ import annotations

from typing import Any

from orchestrator.spec.job import Job

_MEMORY = r"^[0-9]+(\.[0-9]+)?\s*([KMGT](i?B)?|B)$"
_DURATION = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+(\.[0-9]+)?\s?s)?$"

# Fields whose text is parsed: pydantic knows only what comes out.
_WRITTEN: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("Resources", "gpus"): [
        {"enum": ["auto", "all"]},
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": r"^[0-9]{1,6}\.\.[0-9]{1,6}$"},
    ],
    ("Resources", "gpu_memory"): [
        {"const": "auto"},
        {"type": "string", "pattern": _MEMORY},
    ],
    ("Batch", "max_failed"): [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$"},
    ],
    ("Job", "keep_alive"): [
        {"const": 0},
        {"type": "string", "minLength": 2, "pattern": _DURATION},
    ],
}


def job_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a job file."""
    schema = Job.model_json_schema()
    sections = {**schema["$defs"], "Job": schema}
    for (section, name), forms in _WRITTEN.items():
        field = sections[section]["properties"][name]
        kept = {key: field[key] for key in ("description", "title") if key in field}
        sections[section]["properties"][name] = {**kept, "anyOf": forms}
    del schema["$defs"]["GpuRange"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A job for orch",
    }
