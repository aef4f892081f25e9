"""Whatever is done to a job file: a job, or faults with a place; nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.array import task_count, task_spec
from orchestrator.spec.job import validate_job
from orchestrator.spec.load import load_jobs_text
from tests.spec.sample import COMMAND, GOOD, command_folder, good_folder

SHARDS = """\
version: 1
kind: batch
model:
  entry: my_module:Mine
  args: {part: "{index}"}
input:
  path: data.jsonl
  fields: [text]
array:
  range: 0-31:4
  max_parallel: 3
after:
  - 41
  - job: 40
    when: any
timeout: {queue: 2h, start: 15m, run: 12h}
retry: {max: 1, on: [timeout, error], backoff: 10s}
output:
  path: ./out/{id}/{index}
"""
FORMS = {
    "batch": GOOD,
    "command": COMMAND,
    "array": SHARDS,
    "several": f"{COMMAND}---\n{SHARDS}",
}
FREE_NAMES = {"a", "b", "c", "d", "part", "HF_TOKEN", "SEED", "lr", "bs"}
SEEDS = 150
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
    "{index}",
    "{matrix.lr}",
    "{matrix.nope}",
    "null",
    "true",
    "-1",
    "1e9",
    "0-99999",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = command_folder(good_folder(tmp_path_factory.mktemp("job")))
    (folder / "my_module.py").touch()
    return folder


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
    """The faults of a text; none if it is good, and then its jobs can be sent."""
    try:
        jobs = load_jobs_text(text, "j.yaml", folder=folder)
    except OrchError as error:
        check(list(error.faults))
        return list(error.faults)
    for job in (loaded.job for loaded in jobs):
        assert validate_job(job.model_dump(mode="json")) == job
        if count := task_count(job):
            assert task_spec(job, count - 1).array is None
    return []


def keys() -> Iterator[tuple[str, str]]:
    for form, text in FORMS.items():
        if form != "several":
            found = set(re.findall(r"(\w+):(?: |\n)", text)) - FREE_NAMES
            yield from ((form, key) for key in sorted(found))


def lines() -> Iterator[tuple[str, int]]:
    for form, text in FORMS.items():
        yield from ((form, number) for number in range(1, len(text.splitlines())))


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_are_good_before_they_are_spoiled(form: str, folder: Path) -> None:
    assert outcome(FORMS[form], folder) == []


@pytest.mark.parametrize(("form", "key"), list(keys()))
def test_a_field_with_another_name_is_unknown_and_its_name_is_suggested(
    form: str, key: str, folder: Path
) -> None:
    text = re.sub(rf"\b{key}:", f"{key}x:", FORMS[form], count=1)
    (fault,) = outcome(text, folder)  # Where it is required, it is not missing as well.
    assert fault.code is Code.UNKNOWN_FIELD
    assert f"did you mean '{key}'?" in fault.message


@pytest.mark.parametrize("value", ["[[]]", "{x: {}}", "''", "-1", "0.5", "null", "_"])
@pytest.mark.parametrize(("form", "key"), list(keys()))
def test_a_field_with_another_value_is_good_or_bad_at_its_place(
    form: str, key: str, value: str, folder: Path
) -> None:
    text = re.sub(rf"\b({key}): *([^,}}\n]*)", rf"\1: {value}", FORMS[form], count=1)
    outcome(text, folder)


@pytest.mark.parametrize(("form", "number"), list(lines()))
def test_a_line_less(form: str, number: int, folder: Path) -> None:
    rest = FORMS[form].splitlines()
    del rest[number]
    outcome("\n".join(rest), folder)


@pytest.mark.parametrize(("form", "number"), list(lines()))
def test_a_line_twice(form: str, number: int, folder: Path) -> None:
    text = FORMS[form].splitlines()
    text.insert(number, text[number])
    outcome("\n".join(text), folder)


@pytest.mark.parametrize("indent", [" ", "   ", "\t"])
@pytest.mark.parametrize(("form", "number"), list(lines()))
def test_a_line_that_is_indented_otherwise(
    form: str, number: int, indent: str, folder: Path
) -> None:
    text = FORMS[form].splitlines()
    text[number] = indent + text[number].lstrip()
    outcome("\n".join(text), folder)


def test_some_hundred_damaged_files_of_every_form(folder: Path) -> None:
    """Always the same ones: what is found here can be looked at again."""
    for form, good in FORMS.items():
        bad = sum(
            bool(outcome(damaged(good, Random(f"{form} {seed}")), folder))
            for seed in range(SEEDS)
        )
        assert SEEDS / 2 < bad < SEEDS


def damaged(text: str, random: Random) -> str:
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(text))
        other = random.randrange(len(text))
        match random.randrange(4):
            case 0:
                text = text[:at] + random.choice(SPOILS) + text[at:]
            case 1:
                text = text[:at] + text[at + random.randint(1, 15) :]
            case 2:
                text = text[:at] + text[other : other + 20] + text[at:]
            case _:
                text = text[:at] + random.choice(SPOILS) + text[at + 1 :]
    return text


@settings(max_examples=300, deadline=None)
@given(
    form=st.sampled_from(sorted(FORMS)),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.one_of(st.sampled_from(SPOILS), st.integers(1, 15), st.floats(0, 1)),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_any_damage_ends_in_a_job_or_in_faults(
    form: str, edits: list[tuple[float, str | int | float]], folder: Path
) -> None:
    text = FORMS[form]
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
    assert outcome(text, folder)
