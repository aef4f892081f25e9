"""`{index}` and `{matrix.NAME}` in the texts of a job file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from orchestrator.spec.section import Section

# `${index}` is a variable of the shell.
_PLACEHOLDER = re.compile(r"(?<!\$)\{(index|matrix\.[A-Za-z_][A-Za-z0-9_]*)\}")
_Part = TypeVar("_Part", bound=Section)
Loc = tuple[str | int, ...]


def placeholders(text: str) -> list[str]:
    """The names in braces in a text: `index`, `matrix.lr`."""
    return _PLACEHOLDER.findall(text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced; one that has no value stays."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def fill_section(section: _Part, values: Mapping[str, str]) -> _Part:
    """The section with the placeholders of all its texts replaced."""
    changed = {
        name: new
        for name in type(section).model_fields
        if (new := _filled(old := getattr(section, name), values)) is not old
    }
    return section.model_copy(update=changed) if changed else section


def texts(value: object, loc: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """Every text in a section, and where it stands; names are none."""
    if isinstance(value, str):
        yield loc, value
        return
    for name, item in _items(value):
        yield from texts(item, (*loc, name))


def _items(value: object) -> Iterable[tuple[str | int, object]]:
    match value:
        case Section():
            return [(name, getattr(value, name)) for name in type(value).model_fields]
        case dict():
            return value.items()
        case list() | tuple():
            return enumerate(value)
        case _:
            return ()


def _filled(value: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 - any field
    match value:
        case str() if "{" in value:
            return fill(value, values)
        case Section():
            return fill_section(value, values)
        case dict():
            return {name: _filled(item, values) for name, item in value.items()}
        case list() | tuple():
            return type(value)(_filled(item, values) for item in value)
        case _:
            return value
