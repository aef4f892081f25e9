from __future__ import annotations

import pytest

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.reader import MAX_VALUES, read_document
from orchestrator.spec.source import Source, Span


def data(text: str) -> object:
    document = read_document(Source.of("j", text), text)
    assert not document.faults
    return document.data


def mistakes(text: str) -> list[Fault]:
    """The faults that reading finds, with those that end it."""
    try:
        return list(read_document(Source.of("j", text), text).sorted_faults())
    except OrchError as error:
        return list(error.faults)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-4", 1e-4),
        ("1.5", 1.5),
        (".5", 0.5),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", 10),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("on", "on"),
        ("no", "no"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("1..2", "1..2"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!float 12", 12.0),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("=", "="),
    ],
)
def test_a_word_has_the_value_that_people_expect(word: str, value: object) -> None:
    found = data(f"a: {word}\n")
    assert found == {"a": value}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(value)


def test_every_key_is_text() -> None:
    text = "on: 1\n1: 2\nnull: 3\ntrue: 4\n1.5: 5\n"
    assert data(text) == {"on": 1, "1": 2, "null": 3, "true": 4, "1.5": 5}


def test_aliases_and_merge_keys() -> None:
    text = "a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {y: 4, <<: [*a, {z: 5}]}\n"
    assert data(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
        "d": {"x": 1, "y": 4, "z": 5},
    }


def test_an_alias_is_a_value_of_its_own() -> None:
    found = data("a: &a [1]\nb: *a\n")
    assert isinstance(found, dict)
    assert found["a"] is not found["b"]


def test_places_of_keys_and_values() -> None:
    text = 'a: 1\nb:\n  c: [x, "yy"]\n  d:\n'
    document = read_document(Source.of("j", text), text)
    assert document.value(("b", "c", 1)) == "yy"
    assert document.key_span(("a",)) == Span(1, 1, 2)
    assert document.value_span(("a",)) == Span(1, 4, 5)
    assert document.value_span(("b", "c", 1)) == Span(3, 10, 14)
    assert document.value_span(("b",)) == Span(2, 1, 2), "a block: by its key"
    assert document.value_span(("b", "d")) == Span(4, 3, 4), "nothing: by its key"
    assert document.value_span(("b", "e")) == Span(2, 1, 2), "absent: what is around"


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("a: b: c\n", "1:5", "found ':' where no key can be"),
        ("a: 1\nb c\nd: 2\n", "2:1", "expected ':' and a value after this"),
        ("a: 1\n\tb: 2\n", "2:1", "found a tab"),
        ("a:\n  b: 1\n c: 2\n", "3:2", "indented differently"),
        ("a: 1\n- b\n", "2:1", "found a list item"),
        ("- a\nb: 1\n", "2:1", "the list's next item"),
        ("a: *.jsonl\n", "1:4", "put the value in quotes"),
        ("a: *x\n", "1:4", "put the value in quotes"),
        ("a: &\n", "1:4", "put the value in quotes"),
        ("a: @x\n", "1:4", "cannot start with '@'"),
        ("a: `x\n", "1:4", "cannot start with '`'"),
        ("a: %x\n", "1:4", "cannot start with '%'"),
        ("a: ? x\n", "1:4", "'?' at the start"),
        ('a: "x\nb: 1\n', "1:4", "the closing quote"),
        ("a: 'x\n", "1:4", "the closing quote"),
        ('a: "\\d"\n', "1:6", "unknown escape"),
        ('a: "\\U99999999"\n', "1:7", "unknown escape"),
        ('a: "\\uzzzz"\n', "1:7", "unknown escape"),
        ("a: [1, 2\n", "1:4", "the closing ']'"),
        ("a: {x: 1\n", "1:4", "the closing '}'"),
        ("a: [1, 2\nb: 3\n", "2:2", "the closing ']'"),
        ("a: {id}/x\n", "1:8", "in quotes as a whole"),
        ("a: 1\n---\nb: 1\n", "2:1", "a job file holds one job"),
        ('{"a": 1}\n{"a": 2}\n', "2:1", "the end of the file"),
        ("a: |x\n", "1:5", "on the line after"),
        ("a: !!x:<> 1\n", "1:4", "'!' starts a tag"),
        ("%YAML 3.0\n---\na: 1\n", "1:1", "cannot start with '%'"),
        ("a: &x 1\nb: &x 2\n", "2:4", "taken already"),
        ("a: " + "[" * 100, "1:67", "more than 64 deep"),
        ("a: \x00", "1:4", "U+0000"),
    ],
)
def test_text_that_is_not_yaml(text: str, at: str, says: str) -> None:
    (fault,) = mistakes(text)
    assert fault.code is Code.UNREADABLE_YAML
    assert fault.at == f"j:{at}"
    assert says in fault.message
    assert fault.excerpt[-1].endswith("^")


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1", "a is there twice; first on line 1"),
        ("x: {a: 1, 'a': 3}\n", "1:11", "x.a is there twice; first on line 1"),
        ("1: a\n'1': b\n", "2:1", "1 is there twice"),
        ("a: .inf\n", "1:4", "a '.inf' — expected a finite number"),
        ("a: [-.INF]\n", "1:5", "a[0] '-.INF' — expected a finite number"),
        ("a: .nan\n", "1:4", "expected a finite number"),
        ("a: 1e999\n", "1:4", "expected a finite number"),
        ("a: 9223372036854775808\n", "1:4", "fits 64 bits"),
        (f"a: {'9' * 5000}\n", "1:4", "fits 64 bits"),
        ("a: !!int x\n", "1:4", "expected a whole number"),
        ("a: !!float x\n", "1:4", "expected a number"),
        ("a: !!bool x\n", "1:4", "expected true or false"),
        ("a: !thing 1\n", "1:4", "the tag '!thing' means nothing"),
        ("a: !!python/object:os.x {}\n", "1:4", "means nothing"),
        ("a: !!binary aGk=\n", "1:4", "means nothing"),
        ('a: "x\\0y"\n', "1:4", "without NUL"),
        ('a: "\\ud800"\n', "1:4", "written as UTF-8"),
        ('"\\ud800": 1\n', "1:1", "cannot be the name of a field"),
        ("[a]: 1\n", "1:1", "cannot be the name of a field"),
        ("{{x}}: 1\n", "1:1", "cannot be the name of a field"),
        ("a: {<<: 3}\n", "1:9", "expected a section"),
    ],
)
def test_values_that_no_job_can_take(text: str, at: str, says: str) -> None:
    (fault,) = mistakes(text)
    assert fault.code is Code.BAD_VALUE
    assert fault.at == f"j:{at}"
    assert says in fault.message


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "&a {<<: *a}\n", "a: &a {b: *a}\n"])
def test_an_alias_that_contains_itself(text: str) -> None:
    (fault,) = mistakes(text)
    assert fault.message == "an alias that contains itself"


def test_aliases_of_aliases_end_at_a_bound() -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 12)]
    (fault,) = mistakes("\n".join(lines))
    assert fault.message == f"more than {MAX_VALUES:,} values"


def test_several_mistakes_come_in_the_order_of_the_text() -> None:
    found = mistakes("a: .inf\nb: !x 1\na: 2\nc: .nan\n")
    assert [fault.at for fault in found] == ["j:1:4", "j:2:4", "j:3:1", "j:4:4"]


def test_the_largest_number_stays_a_number() -> None:
    assert data(f"a: {2**63 - 1}\nb: {-(2**63)}\n") == {"a": 2**63 - 1, "b": -(2**63)}
