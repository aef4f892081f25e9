"""YAML text -> Document. The only file that knows PyYAML's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import yaml

from orchestrator.errors import Code, OrchError
from orchestrator.spec import scalar
from orchestrator.spec.document import Document, Loc, Place
from orchestrator.spec.source import Source, Span
from orchestrator.spec.syntax import MAX_DEPTH, TOO_DEEP, point, syntax_fault
from orchestrator.spec.words import path_text, plain

# Aliases of aliases can make a few lines stand for more values than memory holds.
MAX_VALUES = 100_000


def read_document(source: Source, text: str) -> Document:
    """The document in a text; its `data` is None if the text is empty.

    Raises:
        OrchError: The text is not one YAML document (E205).
    """
    document = Document(source)
    root = _compose(source, text)
    if root is not None:
        document.data = _Walk(document).value(root, ())
    return document


def read_documents(source: Source, text: str) -> list[Document]:
    """The documents in a text, `---` between them; empty ones are left out.

    Raises:
        OrchError: The text is not YAML (E205).
    """
    documents: list[Document] = []
    values = 0
    for root in _compose_all(source, text):
        walk = _Walk(Document(source), values)
        walk.document.data = walk.value(root, ())
        values = walk.values
        documents.append(walk.document)
    return documents


class _Composer(yaml.SafeLoader):
    """PyYAML up to the tree of nodes, with the words of YAML 1.2."""

    depth = 0

    def resolve(
        self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool]
    ) -> str:
        if kind is yaml.ScalarNode:
            return scalar.tag_of(value or "") if implicit[0] else scalar.STR
        return scalar.SEQ if kind is yaml.SequenceNode else scalar.MAP

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth == MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, TOO_DEEP, mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _compose(source: Source, text: str) -> yaml.Node | None:
    with _composer(source, text) as composer:
        return composer.get_single_node()


def _compose_all(source: Source, text: str) -> list[yaml.Node]:
    roots = []
    with _composer(source, text) as composer:
        while composer.check_node():
            root = composer.get_node()
            if root is not None and root.tag != scalar.NULL:
                roots.append(root)
    return roots


@contextmanager
def _composer(source: Source, text: str) -> Iterator[_Composer]:
    try:
        composer = _Composer(text)
        try:
            yield composer
        except (ValueError, OverflowError):
            # PyYAML does not check the number in "\U99999999".
            problem, mark = "expected escape sequence", composer.get_mark()
            raise yaml.scanner.ScannerError(None, None, problem, mark) from None
    except yaml.YAMLError as error:
        raise OrchError((syntax_fault(source, error),)) from None


class _Walk:
    """One pass over the nodes; aliases and merge keys are followed."""

    def __init__(self, document: Document, values: int = 0) -> None:
        self.document = document
        self.open: set[int] = set()
        self.values = values

    def value(self, node: yaml.Node, loc: Loc, key: Span | None = None) -> object:
        """The node's value, its place noted under `loc`."""
        span = self._span(node)
        shown = key if key and _points_nowhere(node) else span
        self.document.places[loc] = Place(key or span, shown)
        self.values += 1
        if self.values > MAX_VALUES:
            self._stop(f"more than {MAX_VALUES:,} values", span)
        if node.tag not in scalar.KNOWN:
            tag = plain(node.tag)
            self._broken(loc, shown, f"the tag '{tag}' means nothing in a job file")
            return None
        if isinstance(node, yaml.MappingNode):
            fields: dict[str, object] = {}
            self._fill(fields, node, loc, frozenset())
            return fields
        if isinstance(node, yaml.SequenceNode):
            with self._entered(node):
                items = enumerate(node.value)
                return [self.value(item, (*loc, i)) for i, item in items]
        return self._scalar(node, loc, shown)

    def _scalar(self, node: yaml.Node, loc: Loc, span: Span) -> object:
        try:
            return scalar.value_of(node.tag, node.value)
        except ValueError as error:
            name = path_text(loc) or "the value"
            self._broken(loc, span, f"{name} '{plain(node.value)}' — {error}")
            return None

    def _fill(
        self,
        fields: dict[str, object],
        node: yaml.Node,
        loc: Loc,
        taken: frozenset[str],
    ) -> None:
        """Add a mapping's fields, but for those that are taken, then its merges'."""
        merges = []
        with self._entered(node):
            for key, value in node.value:
                if _is_merge(key):
                    merges.append(value)
                elif (name := self._key(key)) is not None and name not in taken:
                    self._field(fields, (*loc, name), key, value)
            for merge in merges:
                self._merge(fields, merge, loc)

    def _field(
        self, fields: dict[str, object], loc: Loc, key: yaml.Node, value: yaml.Node
    ) -> None:
        span, name = self._span(key), str(loc[-1])
        if name in fields:
            first = self.document.places[loc].key
            message = f"{path_text(loc)} is there twice; first on line {first.line}"
            self.document.add(Code.BAD_VALUE, message, span)
            return
        fields[name] = self.value(value, loc, span)

    def _merge(self, fields: dict[str, object], node: yaml.Node, loc: Loc) -> None:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if isinstance(source, yaml.MappingNode):
                self._fill(fields, source, loc, frozenset(fields))
            else:
                message = "expected a section, or an alias of one, after '<<:'"
                self.document.add(Code.BAD_VALUE, message, self._span(source))

    def _key(self, node: yaml.Node) -> str | None:
        """A key is text, whatever it looks like: `on`, `1` and `null` too."""
        try:
            if not isinstance(node, yaml.ScalarNode) or node.tag not in scalar.KNOWN:
                raise ValueError("expected text")
            return str(scalar.value_of(scalar.STR, node.value))
        except ValueError as error:
            message = f"this cannot be the name of a field — {error}"
            self.document.add(Code.BAD_VALUE, message, self._span(node))
            return None

    @contextmanager
    def _entered(self, node: yaml.Node) -> Iterator[None]:
        if id(node) in self.open:
            self._stop("an alias that contains itself", self._span(node))
        self.open.add(id(node))
        yield
        self.open.discard(id(node))

    def _broken(self, loc: Loc, span: Span, message: str) -> None:
        self.document.broken.add(loc)
        self.document.add(Code.BAD_VALUE, message, span)

    def _stop(self, message: str, span: Span) -> NoReturn:
        self.document.add(Code.UNREADABLE_YAML, message, span)
        raise OrchError(self.document.sorted_faults())

    def _span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark, node.end_mark
        span = point(self.document.source, start)
        line = self.document.source.lines[span.line - 1]
        last = end.column if end.line == start.line else len(line.rstrip())
        return Span(span.line, span.column, max(last + 1, span.column))


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == "<<" and key.style is None


def _points_nowhere(node: yaml.Node) -> bool:
    """Whether a value is better shown by its key: a block, or nothing at all."""
    if isinstance(node, yaml.CollectionNode):
        return not node.flow_style
    return bool(node.start_mark.index == node.end_mark.index)
