"""A job file's data that remembers where each of its values stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from orchestrator.errors import Code, Fault
from orchestrator.spec.source import Source, Span

Loc: TypeAlias = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""

START = Span(1, 1, 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and the key it stands under."""

    key: Span
    value: Span


@dataclass(slots=True)
class Document:
    """A document's data, the places of its values, and what is wrong with it.

    Attributes:
        source: The text it was read from.
        data: Its value: text, numbers, booleans, None, lists and dicts.
        places: A place for every value in `data`.
        broken: Values that could not be read; they stand as None in `data`.
        faults: The mistakes found so far, with their spans.
    """

    source: Source
    data: object = None
    places: dict[Loc, Place] = field(default_factory=dict)
    broken: set[Loc] = field(default_factory=set)
    faults: list[tuple[Span, Fault]] = field(default_factory=list)

    def value(self, loc: Loc) -> object:
        """The value at `loc`; None if there is none."""
        found: Any = self.data
        for part in loc:
            try:
                found = found[part]
            except (TypeError, KeyError, IndexError):
                return None
        result: object = found
        return result

    def key_span(self, loc: Loc) -> Span:
        """Where the key of the value at `loc` stands, or the nearest key around it."""
        while loc not in self.places and loc:
            loc = loc[:-1]
        return self.places[loc].key if loc in self.places else START

    def value_span(self, loc: Loc) -> Span:
        """Where the value at `loc` stands, or the nearest key around it."""
        return self.places[loc].value if loc in self.places else self.key_span(loc)

    def add(self, code: Code, message: str, span: Span, fix: str = "") -> None:
        """Note a mistake."""
        at, excerpt = self.source.at(span), self.source.excerpt(span)
        fault = Fault(code, message, fix=fix, at=at, excerpt=excerpt)
        self.faults.append((span, fault))

    def sorted_faults(self) -> tuple[Fault, ...]:
        """All mistakes, each once: those of the text in its order, then the others."""
        order = sorted(
            self.faults, key=lambda item: (item[0].origin, item[0].line, item[0].column)
        )
        return tuple(dict.fromkeys(fault for _, fault in order))
