"""What pydantic found wrong with a job -> faults with a place and plain words.

The only file that knows pydantic's error types; a test provokes all that our models
can raise and looks for any that is not in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from orchestrator.errors import Code
from orchestrator.spec.document import Document, Loc
from orchestrator.spec.job import Job
from orchestrator.spec.source import Span
from orchestrator.spec.suggest import closest
from orchestrator.spec.words import path_text, plain, section_name, subject

Context: TypeAlias = dict[str, Any]

_NAME_RULE = (
    "expected letters, digits, '.', '_' and '-', at most 63, a letter or digit first"
)


def _otherwise(_: Context) -> str:
    return "expected something else"


EXPECTED: dict[str, Callable[[Context], str]] = {
    "model_type": lambda _: "expected a section, lines of 'key: value'",
    "dict_type": lambda _: "expected a section, lines of 'key: value'",
    "string_type": lambda _: "expected text",
    "string_too_short": lambda _: "expected text that is not empty",
    "string_pattern_mismatch": lambda _: _NAME_RULE,
    "bool_type": lambda _: "expected true or false",
    "bool_parsing": lambda _: "expected true or false",
    "int_type": lambda _: "expected a whole number",
    "int_parsing": lambda _: "expected a whole number",
    "int_parsing_size": lambda _: "expected a smaller number",
    "int_from_float": lambda _: "expected a whole number",
    "tuple_type": lambda _: "expected a list, such as [a, b]",
    "greater_than_equal": lambda ctx: f"expected {ctx['ge']} or more",
    "less_than_equal": lambda ctx: f"expected {ctx['le']} or less",
    "literal_error": lambda ctx: _one_of(_choices(ctx)),
    "value_error": lambda ctx: str(ctx["error"]),
    "conflict": lambda ctx: str(ctx["message"]),
}
"""What to say of a bad value, by pydantic's type of the error."""


def add_faults(document: Document, errors: Sequence[ErrorDetails]) -> None:
    """Note every mistake that pydantic found in the document's data."""
    misspelt = {
        _meant_field(e["loc"]) for e in errors if e["type"] == "extra_forbidden"
    }
    for error in errors:
        loc = _real_loc(document, error["loc"])
        if any(loc[:n] in document.broken for n in range(1, len(loc) + 1)):
            continue
        match error["type"]:
            case "extra_forbidden":
                _unknown_field(document, loc)
            case "missing" if loc in misspelt:
                continue
            case "missing":
                _missing_field(document, loc)
            case "missing_one_of":
                _missing(document, loc, error["msg"], _fields(loc))
            case _:
                _bad_value(document, loc, error)


def _real_loc(document: Document, loc: Loc) -> Loc:
    """Pydantic adds parts that no user wrote, such as the member of a union."""
    while len(loc) > 1 and loc[:-1] not in document.places:
        loc = loc[:-1]
    return loc


def _unknown_field(document: Document, loc: Loc) -> None:
    section, name = loc[:-1], str(loc[-1])
    hint = ""
    if homes := _homes(name):
        hint = f"; it belongs in {' or '.join(homes)}"
    elif meant := _meant_field(loc):
        hint = f"; did you mean '{meant[-1]}'?"
    message = f"'{plain(name)}' is not a field of {section_name(section)}{hint}"
    document.add(Code.UNKNOWN_FIELD, message, document.key_span(loc), _fields(section))


def _meant_field(loc: Loc) -> Loc | None:
    """The field of its section that an unknown one was probably meant to be."""
    section, name = loc[:-1], str(loc[-1])
    meant = None if _homes(name) else closest(name, fields_of(section))
    return (*section, meant) if meant else None


def _missing_field(document: Document, loc: Loc) -> None:
    section, name = loc[:-1], str(loc[-1])
    field = model_at(section).model_fields[name]
    choices = get_args(field.annotation)
    fix = _fields(section)
    if len(choices) == 1:
        fix = f"Add '{name}: {choices[0]}'."
    elif inner := _section(field.annotation):
        fix = f"Add '{name}:' with its '{next(iter(inner.model_fields))}'."
    _missing(document, section, f"'{name}'", fix)


def _missing(document: Document, section: Loc, what: str, fix: str) -> None:
    message = f"{section_name(section)} needs {what}, which is missing"
    document.add(Code.MISSING_FIELD, message, document.key_span(section), fix)


def _bad_value(document: Document, loc: Loc, error: ErrorDetails) -> None:
    context: Context = error.get("ctx", {})
    if error["type"] == "conflict":
        loc = (*loc, context["field"])
    value = document.value(loc)
    expected = EXPECTED.get(error["type"], _otherwise)
    message = f"{subject(loc, value)} — {expected(context)}"
    if error["type"] == "literal_error":
        message += _meant(value, _choices(context))
    fix = ""
    if error["type"] == "model_type":
        fix = _fields(loc)
    elif error["type"] == "string_type" and isinstance(value, bool | int | float):
        fix = f"Put it in quotes: {path_text(loc[-1:])}: '{_written(document, loc)}'"
    document.add(Code.BAD_VALUE, message, document.value_span(loc), fix)


def _written(document: Document, loc: Loc) -> str:
    """A scalar as it stands in the text."""
    span: Span = document.value_span(loc)
    if span.origin:
        return str(document.value(loc))
    return document.source.lines[span.line - 1][span.column - 1 : span.end - 1]


def model_at(loc: Loc) -> type[BaseModel]:
    """The model of the section at `loc`; that of the job for no section of ours."""
    model: type[BaseModel] = Job
    for part in loc:
        field = model.model_fields.get(str(part))
        inner = _section(field.annotation) if field else None
        if inner is None:
            return Job
        model = inner
    return model


def fields_of(loc: Loc) -> list[str]:
    """The names of a section's fields, in order."""
    return list(model_at(loc).model_fields)


def _section(annotation: object) -> type[BaseModel] | None:
    """The annotation, if it is one of our sections."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _homes(name: str) -> list[str]:
    """The sections that have a field of that name, if they are few."""
    sections = [
        key for key, field in Job.model_fields.items() if _section(field.annotation)
    ]
    homes = [f"'{key}'" for key in sections if name in fields_of((key,))]
    return homes if len(homes) <= 2 else []


def _fields(section: Loc) -> str:
    return f"Fields of {section_name(section)}: {', '.join(fields_of(section))}"


def _choices(context: Context) -> list[str]:
    """The values of a Literal, out of pydantic's `'a', 'b' or 'c'`."""
    listed = str(context["expected"]).replace(" or ", ", ").split(", ")
    return [choice.strip("'") for choice in listed]


def _one_of(choices: list[str]) -> str:
    if len(choices) == 1:
        return f"expected {choices[0]}"
    return f"expected one of: {', '.join(choices)}"


def _meant(value: object, choices: list[str]) -> str:
    choice = closest(value, choices) if isinstance(value, str) else None
    return f" (did you mean '{choice}'?)" if choice and len(choices) > 1 else ""
