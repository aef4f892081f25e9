"""What pydantic found wrong with a job -> faults with a place and plain words.

The only file that knows pydantic's error types; a test provokes all that our models
can raise and looks for any that is not in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, get_args

from pydantic_core import ErrorDetails

from orchestrator.errors import Code
from orchestrator.spec.document import Document, Loc
from orchestrator.spec.fields import (
    Root,
    field_at,
    fields_of,
    homes,
    kinds_with,
    section_of,
)
from orchestrator.spec.kinds import KINDS
from orchestrator.spec.source import Span
from orchestrator.spec.suggest import closest
from orchestrator.spec.words import path_text, plain, section_name, subject

Context: TypeAlias = dict[str, Any]


def _otherwise(_: Context) -> str:
    return "expected something else"


EXPECTED: dict[str, Callable[[Context], str]] = {
    "model_type": lambda _: "expected a section, lines of 'key: value'",
    "dict_type": lambda _: "expected a section, lines of 'key: value'",
    "string_type": lambda _: "expected text",
    "string_too_short": lambda _: "expected text that is not empty",
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
    "enum": lambda ctx: _one_of(_choices(ctx)),
    "value_error": lambda ctx: str(ctx["error"]),
    "conflict": lambda ctx: str(ctx["message"]),
}
"""What to say of a bad value, by pydantic's type of the error."""


def add_faults(document: Document, errors: Sequence[ErrorDetails], root: Root) -> None:
    """Note every mistake that pydantic found in the document's data.

    Args:
        document: The job file.
        errors: What pydantic says of it.
        root: The class of the whole job that it was checked against.
    """
    _Translation(document, root).add_all(errors)


class _Translation:
    """One document's errors, told in our words."""

    def __init__(self, document: Document, root: Root) -> None:
        self.document = document
        self.root = root

    def add_all(self, errors: Sequence[ErrorDetails]) -> None:
        """Note every error once, but for those that follow from another."""
        misspelt = {
            self._meant_field(e["loc"])
            for e in errors
            if e["type"] == "extra_forbidden"
        }
        for error in errors:
            loc = _real_loc(self.document, error["loc"])
            broken = self.document.broken
            if any(loc[:n] in broken for n in range(1, len(loc) + 1)):
                continue
            match error["type"]:
                case "extra_forbidden":
                    self._unknown_field(loc)
                case "missing" if loc in misspelt:
                    continue
                case "missing":
                    self._missing_field(loc)
                case "missing_one_of":
                    self._missing(loc, error["msg"], self._fields(loc))
                case _ if error["loc"][-1:] == ("[key]",):
                    self._bad_name(loc, error)
                case _:
                    self._bad_value(loc, error)

    def _unknown_field(self, loc: Loc) -> None:
        section, name = loc[:-1], str(loc[-1])
        message = f"'{plain(name)}' is not a field of {section_name(section)}"
        message += self._hint(loc)
        span = self.document.key_span(loc)
        self.document.add(Code.UNKNOWN_FIELD, message, span, self._fields(section))

    def _hint(self, loc: Loc) -> str:
        """Where an unknown field belongs, or what it was meant to be."""
        name = str(loc[-1])
        if found := homes(self.root, name):
            return f"; it belongs in {' or '.join(found)}"
        if len(loc) == 1 and (kinds := kinds_with(name)):
            return f"; it belongs to kind: {' or '.join(kinds)}"
        meant = self._meant_field(loc)
        return f"; did you mean '{meant[-1]}'?" if meant else ""

    def _meant_field(self, loc: Loc) -> Loc | None:
        """The field of its section that an unknown one was probably meant to be."""
        section, name = loc[:-1], str(loc[-1])
        if homes(self.root, name) or (len(loc) == 1 and kinds_with(name)):
            return None
        meant = closest(name, fields_of(self.root, section))
        return (*section, meant) if meant else None

    def _missing_field(self, loc: Loc) -> None:
        section, name = loc[:-1], str(loc[-1])
        field = field_at(self.root, loc)
        annotation = field.annotation if field else None
        choices = KINDS if loc == ("kind",) else get_args(annotation)
        fix = self._fields(section)
        if choices and all(isinstance(choice, str | int) for choice in choices):
            lines = " or ".join(f"'{name}: {choice}'" for choice in choices)
            fix = f"Add {lines}."
        elif inner := section_of(annotation):
            fix = f"Add '{name}:' with its '{next(iter(inner.model_fields))}'."
        self._missing(section, f"'{name}'", fix)

    def _missing(self, section: Loc, what: str, fix: str) -> None:
        message = f"{section_name(section)} needs {what}, which is missing"
        span = self.document.key_span(section)
        self.document.add(Code.MISSING_FIELD, message, span, fix)

    def _bad_name(self, loc: Loc, error: ErrorDetails) -> None:
        """A name that the user chose, such as that of a variable."""
        said = _expected(error["type"], error.get("ctx", {}))
        name = f"the name '{plain(str(loc[-1]))}' in {section_name(loc[:-1])}"
        span = self.document.key_span(loc)
        self.document.add(Code.BAD_VALUE, f"{name} — {said}", span)

    def _bad_value(self, loc: Loc, error: ErrorDetails) -> None:
        context: Context = error.get("ctx", {})
        if error["type"] == "conflict":
            loc = (*loc, *context["field"])
        value = self.document.value(loc)
        message = f"{subject(loc, value)} — {_expected(error['type'], context)}"
        if error["type"] in ("literal_error", "enum"):
            message += _meant(value, _choices(context))
        fix = ""
        if error["type"] == "model_type":
            fix = self._fields(loc)
        elif error["type"] == "string_type" and isinstance(value, bool | int | float):
            written = _written(self.document, loc)
            fix = f"Put it in quotes: {path_text(loc[-1:])}: '{written}'"
        self.document.add(Code.BAD_VALUE, message, self.document.value_span(loc), fix)

    def _fields(self, section: Loc) -> str:
        names = ", ".join(fields_of(self.root, section))
        return f"Fields of {section_name(section)}: {names}"


def _expected(kind: str, context: Context) -> str:
    return EXPECTED.get(kind, _otherwise)(context)


def _real_loc(document: Document, loc: Loc) -> Loc:
    """Pydantic adds parts that no user wrote, such as the member of a union."""
    if loc[-1:] == ("[key]",):
        return loc[:-1]
    while len(loc) > 1 and loc[:-1] not in document.places:
        loc = loc[:-1]
    return loc


def _written(document: Document, loc: Loc) -> str:
    """A scalar as it stands in the text."""
    span: Span = document.value_span(loc)
    if span.origin:
        return str(document.value(loc))
    return document.source.lines[span.line - 1][span.column - 1 : span.end - 1]


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
