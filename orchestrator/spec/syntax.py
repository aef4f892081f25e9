"""Text that is not YAML: what the parser stumbled over, in plain words."""

from __future__ import annotations

import re

import yaml

from orchestrator.errors import Code, Fault
from orchestrator.spec.source import Source, Span

MAX_DEPTH = 64
TOO_DEEP = "nested too deeply"

# From what PyYAML says (context: problem) to what a person reads. The mark is that of
# the problem, or of the context where that is what has to be changed.
_WORDS: tuple[tuple[str, str, bool], ...] = (
    (
        r"expected a single document",
        "a second document starts here; a job file holds one job",
        False,
    ),
    (
        r"could not find expected ':'|simple key.*found character",
        "expected ':' and a value after this",
        True,
    ),
    (
        r"found character '\\t'",
        "found a tab; YAML indents with spaces",
        False,
    ),
    (
        r"found character (?P<x>.+) that cannot start",
        "a value cannot start with {x}; put it in quotes",
        False,
    ),
    (
        r"mapping values are not allowed",
        "found ':' where no key can be; put a value that contains ': ' in quotes, "
        "or check the indentation",
        False,
    ),
    (
        r"mapping keys are not allowed",
        "'?' at the start of a value means something in YAML; put the value in quotes",
        False,
    ),
    (
        r"sequence entries are not allowed",
        "found a list item ('-') where none can be; start the list on a new line",
        False,
    ),
    (
        r"quoted scalar: found (unexpected end of stream|unexpected document)",
        "expected the closing quote of this text",
        True,
    ),
    (
        r"found unknown escape character (?P<x>.+)|expected escape sequence",
        "unknown escape after '\\' in double quotes; use single quotes",
        False,
    ),
    (
        r"scanning an? alias: expected|found undefined alias",
        "'*' at the start of a value refers to an anchor, and there is none of that "
        "name; put the value in quotes",
        True,
    ),
    (
        r"scanning an? anchor: expected",
        "'&' at the start of a value names an anchor; put the value in quotes",
        True,
    ),
    (r"duplicate anchor", "this anchor's name is taken already", False),
    (
        r"expected ',' or '(?P<x>.)', but got '<stream end>'",
        "expected the closing '{x}'",
        True,
    ),
    (
        r"expected ',' or '(?P<x>.)', but got",
        "expected ',' or the closing '{x}'",
        False,
    ),
    (
        r"block mapping: expected <block end>, but found '-'",
        "expected 'key: value', found a list item ('-')",
        False,
    ),
    (
        r"block mapping: expected <block end>, but found '<block mapping start>'",
        "this line is indented differently from the section it stands in",
        False,
    ),
    (
        r"block mapping: expected <block end>",
        "expected a new line with 'key: value'; put a text that begins with a quote, "
        "'{{' or '[' in quotes as a whole",
        False,
    ),
    (
        r"block collection: expected <block end>",
        "expected the list's next item, '- value', at the same indentation",
        False,
    ),
    (
        r"expected the node content, but found '<stream end>'",
        "expected a value before the end of the file",
        False,
    ),
    (r"expected the node content", "expected a value here", False),
    (
        r"expected '<document start>'",
        "expected the end of the file here; a job file is lines of 'key: value'",
        False,
    ),
    (TOO_DEEP, f"sections within sections, more than {MAX_DEPTH} deep", False),
    (r"tag|URI", "'!' starts a tag in YAML; put the value in quotes", True),
    (r"directive|YAML document", "a line cannot start with '%' here", True),
    (
        r"block scalar: expected",
        "expected the text to start on the line after '|' or '>'",
        False,
    ),
)
_UNKNOWN = "this is not YAML"


def syntax_fault(source: Source, error: yaml.YAMLError) -> Fault:
    """What is wrong with a text that PyYAML refused."""
    if isinstance(error, yaml.MarkedYAMLError):
        return _marked(source, error)
    return _unprintable(source)


def unreadable(source: Source, span: Span, message: str) -> Fault:
    """An E205 that points into the document."""
    return Fault(
        Code.UNREADABLE_YAML,
        message,
        at=source.at(span),
        excerpt=source.excerpt(span),
    )


def point(source: Source, mark: yaml.Mark) -> Span:
    """A mark of PyYAML as a span of no width, within the text."""
    line = min(mark.line + 1, len(source.lines))
    if mark.line + 1 > line or not source.lines[line - 1].strip():
        # The end of the file: the last line with something on it.
        while line > 1 and not source.lines[line - 1].strip():
            line -= 1
        column = len(source.lines[line - 1].rstrip()) + 1
        return Span(line, column, column)
    return Span(line, mark.column + 1, mark.column + 1)


def _marked(source: Source, error: yaml.MarkedYAMLError) -> Fault:
    said = f"{error.context or ''}: {error.problem or ''}"
    for pattern, words, at_context in _WORDS:
        if match := re.search(pattern, said):
            text = words.format(x=match.groupdict().get("x"))
            mark = error.context_mark if at_context else error.problem_mark
            return _place(source, error, mark, text)
    return _place(source, error, error.problem_mark, _UNKNOWN)


def _place(
    source: Source,
    error: yaml.MarkedYAMLError,
    mark: yaml.Mark | None,
    text: str,
) -> Fault:
    mark = mark or error.problem_mark or error.context_mark
    span = point(source, mark) if mark else Span(1, 1, 1)
    return unreadable(source, span, text)


def _unprintable(source: Source) -> Fault:
    for number, line in enumerate(source.lines, 1):
        if match := yaml.reader.Reader.NON_PRINTABLE.search(line):
            span = Span(number, match.start() + 1, match.end() + 1)
            text = f"the character U+{ord(match[0]):04X} cannot be part of a text file"
            return unreadable(source, span, text)
    return unreadable(source, Span(1, 1, 1), _UNKNOWN)
