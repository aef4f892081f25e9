"""Whatever is done to a job file: a job, or faults with a place; nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import Code, Fault, OrchError
from tests.spec.sample import GOOD, faults, good_folder, load

LINES = GOOD.splitlines()
KEYS = sorted(set(re.findall(r"(\w+):(?: |\n)", GOOD)) - {"a", "b", "c", "d"})
E2XX = {code for code in Code if code.value.startswith("E2")}
SPOILS = [
    *"\t\n:-[]{}&*!|>'\"%@`#,?\\\x00\x07\ufeff\u2028é漢~<0",
    "<<: ",
    "<<: *a",
    "---\n",
    '"\\U99999999"',
    '"\\ud800"',
    '"\\x00"',
    "!!int ",
    "!!python/object:os.system ",
    "&a ",
    "*a",
    "? ",
    "- ",
    ": ",
    "\r\n",
    "%YAML 99999999999999999999.1\n",
    ".inf",
    "9" * 5000,
    "[" * 100,
    "{a: " * 100,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return good_folder(tmp_path_factory.mktemp("job"))


def check(found: list[Fault]) -> None:
    assert found
    for fault in found:
        assert fault.code in E2XX
        assert re.fullmatch(r"j\.yaml:\d+:\d+", fault.at), fault
        assert fault.excerpt[-1].endswith("^"), fault
        assert fault.message != "this is not YAML"
        assert fault.message.isprintable()
        assert all(line.isprintable() for line in fault.excerpt)


def outcome(text: str, folder: Path) -> list[Fault]:
    """The faults of a text; none if it is good."""
    try:
        load(text, folder)
    except OrchError as error:
        check(list(error.faults))
        return list(error.faults)
    return []


@pytest.mark.parametrize("key", KEYS)
def test_a_field_with_another_name_is_unknown_and_its_name_is_suggested(
    key: str, folder: Path
) -> None:
    text = re.sub(rf"\b{key}:", f"{key}x:", GOOD, count=1)
    found = faults(text, folder)
    check(found)
    (fault,) = found  # Also where it is required: it is not missing as well.
    assert fault.code is Code.UNKNOWN_FIELD
    assert f"did you mean '{key}'?" in fault.message


@pytest.mark.parametrize("value", ["[[]]", "{x: {}}", "''", "-1", "0.5", "null", "_"])
@pytest.mark.parametrize("key", KEYS)
def test_a_field_with_another_value_is_good_or_bad_at_its_place(
    key: str, value: str, folder: Path
) -> None:
    text = re.sub(rf"\b({key}): *([^,}}\n]*)", rf"\1: {value}", GOOD, count=1)
    outcome(text, folder)


@pytest.mark.parametrize("number", range(1, len(LINES)))
def test_a_line_less(number: int, folder: Path) -> None:
    outcome("\n".join(LINES[:number] + LINES[number + 1 :]), folder)


@pytest.mark.parametrize("number", range(1, len(LINES)))
def test_a_line_twice(number: int, folder: Path) -> None:
    check(faults("\n".join(LINES[:number] + LINES[number - 1 : number] * 2), folder))


@pytest.mark.parametrize("indent", [" ", "   ", "\t"])
@pytest.mark.parametrize("number", range(1, len(LINES)))
def test_a_line_that_is_indented_otherwise(
    number: int, indent: str, folder: Path
) -> None:
    moved = indent + LINES[number].lstrip()
    outcome("\n".join([*LINES[:number], moved, *LINES[number + 1 :]]), folder)


@settings(max_examples=400, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.one_of(st.sampled_from(SPOILS), st.integers(1, 15), st.floats(0, 1)),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_damage_ends_in_a_job_or_in_faults(
    edits: list[tuple[float, str | int | float]], folder: Path
) -> None:
    text = GOOD
    for where, what in edits:
        at = int(where * len(text))
        match what:
            case str():
                text = text[:at] + what + text[at:]
            case int():
                text = text[:at] + text[at + what :]
            case float():
                start = int(what * len(text))
                text = text[:at] + text[start : start + 20] + text[at:]
    outcome(text, folder)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_ends_in_faults(text: str, folder: Path) -> None:
    check(faults(text, folder))
