from __future__ import annotations

import pytest

from orchestrator.spec.source import Source, Span
from orchestrator.spec.suggest import closest, did_you_mean
from orchestrator.spec.words import path_text, plain, section_name, subject


@pytest.mark.parametrize(
    ("text", "span", "excerpt"),
    [
        ("abc", Span(1, 2, 3), ["   1 │ abc", "     │  ^"]),
        ("abc", Span(1, 4, 4), ["   1 │ abc", "     │    ^"]),
        ("a\n\nb", Span(3, 1, 2), ["   3 │ b", "     │ ^"]),
        ("a\r\nb", Span(2, 1, 2), ["   1 │ a", "   2 │ b", "     │ ^"]),
        ("\tab", Span(1, 2, 4), ["   1 │  ab", "     │  ^^"]),
        ("漢字: x", Span(1, 5, 6), ["   1 │ 漢字: x", "     │       ^"]),
        ("漢字: x", Span(1, 1, 3), ["   1 │ 漢字: x", "     │ ^^^^"]),
        ("e\u0301: x", Span(1, 5, 6), ["   1 │ e\u0301: x", "     │    ^"]),
    ],
)
def test_an_excerpt_points_at_its_span(
    text: str, span: Span, excerpt: list[str]
) -> None:
    assert list(Source.of("j", text).excerpt(span)) == excerpt


def test_a_long_line_is_cut_around_its_span() -> None:
    line = "x" * 5000 + "HERE" + "y" * 5000
    shown, caret = Source.of("j", line).excerpt(Span(1, 5001, 5005))
    assert len(shown) < 120
    start = caret.index("^")
    assert shown[start : start + 4] == "HERE"
    assert caret.count("^") == 4


def test_the_gutter_grows_with_the_numbers() -> None:
    source = Source.of("j", "a\n" * 12344 + "b")
    above, line, caret = source.excerpt(Span(12345, 1, 2))
    assert line == "12345 │ b"
    assert above.index("│") == line.index("│") == caret.index("│")


def test_what_stands_elsewhere_has_no_excerpt() -> None:
    source, span = Source.of("j", "a"), Span(1, 1, 2, origin="--set a=b")
    assert (source.at(span), source.excerpt(span)) == ("--set a=b", ())


@pytest.mark.parametrize(
    ("word", "choice"),
    [
        ("gpu_mem", "gpu_memory"),
        ("GPUS", "gpus"),
        ("gpu-memory", "gpu_memory"),
        ("zzz", None),
        ("", None),
        ("gpus" * 10_000, None),
    ],
)
def test_did_you_mean(word: str, choice: str | None) -> None:
    fields = ["gpus", "gpu_memory", "exclude"]
    assert closest(word, fields) == choice
    assert bool(did_you_mean(word, fields)) == bool(choice)


def test_names_and_values_in_messages() -> None:
    assert path_text(("retry", "on", 0)) == "retry.on[0]"
    assert path_text(()) == ""
    assert section_name(()) == "the job file"
    assert section_name(("a", "b")) == "'a.b'"
    assert subject(("a",), "x\ny") == "a 'x y'"
    assert subject(("a",), True) == "a true"
    assert subject(("a",), None) == "a is empty"
    assert subject(("a",), 1.5) == "a 1.5"
    assert len(plain("x" * 1000)) == 60
