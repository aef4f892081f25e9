"""Changes to a job file from the command line: `--set resources.gpus=2`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from orchestrator.errors import Code, OrchError
from orchestrator.spec.document import Document, Loc, Place
from orchestrator.spec.reader import read_document
from orchestrator.spec.source import Source, Span
from orchestrator.spec.words import path_text, plain


def apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Put the values of `a.b=c` strings into the document, in order.

    The value is YAML: a word, a number, `[a, b]`. A string that is none of this is a
    fault of the document, like any other.
    """
    for text in overrides:
        _apply(document, text)


def _apply(document: Document, text: str) -> None:
    span = Span(1, 1, 1, origin=f"--set {plain(text)}")
    name, equals, written = text.partition("=")
    loc: Loc = tuple(part.strip() for part in name.split("."))
    if not equals or not all(loc):
        message = "expected NAME=VALUE, such as resources.gpus=2"
        document.add(Code.BAD_VALUE, message, span)
        return
    value = _value(document, written, span)
    if value is None:
        return
    section = _section(document, loc[:-1], span)
    if section is not None:
        section[loc[-1]] = value.data
        _move(document, value, loc, span)


def _value(document: Document, text: str, span: Span) -> Document | None:
    try:
        value = read_document(Source.of(span.origin, text), text)
    except OrchError as error:
        document.add(error.fault.code, error.fault.message, span)
        return None
    for _, fault in value.faults:
        document.add(fault.code, fault.message, span)
    return None if value.faults else value


def _section(document: Document, loc: Loc, span: Span) -> dict[Any, Any] | None:
    """The section at `loc`, made if it is not there; None if it cannot be."""
    section = cast("dict[Any, Any]", document.data)
    for depth, part in enumerate(loc, 1):
        if section.get(part) is None:
            section[part] = {}
            document.places.setdefault(loc[:depth], Place(span, span))
        section = section[part]
        if not isinstance(section, dict):
            message = f"{path_text(loc[:depth])} is not a section"
            document.add(Code.BAD_VALUE, message, span)
            return None
    return section


def _move(document: Document, value: Document, loc: Loc, span: Span) -> None:
    """The places of what was there go; those of the value come, all the override's."""
    for old in [place for place in document.places if place[: len(loc)] == loc]:
        del document.places[old]
    document.broken = {old for old in document.broken if old[: len(loc)] != loc}
    for new in _locs(value, loc):
        document.places[new] = Place(span, span)


def _locs(value: Document, loc: Loc) -> Iterator[Loc]:
    yield loc
    for inner in value.places:
        yield (*loc, *inner)
