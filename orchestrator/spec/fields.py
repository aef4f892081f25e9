"""Which fields a section of a job file has, and where a name belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.spec.job import JOBS

Root: TypeAlias = type[BaseModel]
"""The class of a whole job file; it depends on the kind."""
Loc: TypeAlias = tuple[str | int, ...]


def model_at(root: Root, loc: Loc) -> type[BaseModel]:
    """The model of the section at `loc`; the job's for no section of ours."""
    model = root
    for part in loc:
        if isinstance(part, int):
            # An item of a list has the model of the list's field.
            continue
        field = model.model_fields.get(part)
        inner = section_of(field.annotation) if field else None
        if inner is None:
            return root
        model = inner
    return model


def fields_of(root: Root, loc: Loc) -> list[str]:
    """The names of a section's fields, in order."""
    return list(model_at(root, loc).model_fields)


def field_at(root: Root, loc: Loc) -> FieldInfo | None:
    """The field at `loc`, if its section has it."""
    return model_at(root, loc[:-1]).model_fields.get(str(loc[-1]))


def section_of(annotation: object) -> type[BaseModel] | None:
    """The section that an annotation holds: plain, optional, or in a list."""
    return next(_sections(annotation), None)


def sections_of(root: Root) -> list[type[BaseModel]]:
    """The job's class and those of its sections, sections within them included."""
    found: dict[type[BaseModel], None] = {root: None}
    for field in root.model_fields.values():
        if inner := section_of(field.annotation):
            found |= dict.fromkeys(sections_of(inner))
    return list(found)


def homes(root: Root, name: str) -> list[str]:
    """The sections that have a field of that name, if they are few."""
    sections = [
        key for key, field in root.model_fields.items() if section_of(field.annotation)
    ]
    found = [f"'{key}'" for key in sections if name in fields_of(root, (key,))]
    return found if len(found) <= 2 else []


def kinds_with(name: str) -> list[str]:
    """The kinds of job that have a field of that name at their top."""
    return [kind for kind, model in JOBS.items() if name in model.model_fields]


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for inner in get_args(annotation):
            yield from _sections(inner)
