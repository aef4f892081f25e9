from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import Code
from tests.spec.sample import GOOD, faults, good_folder, load_batch, spoiled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return good_folder(tmp_path)


@pytest.mark.parametrize(
    ("override", "section", "field", "value"),
    [
        ("name=other", None, "name", "other"),
        ("resources.gpus=all", "resources", "gpus", None),
        ("params.max_length=64", "params", "max_length", 64),
        ("params.max_length=", "params", "max_length", None),
        ("params.truncate=no", "params", "truncate", False),
        ("input.fields=[a, b]", "input", "fields", ("a", "b")),
        ("model.args={x: [1]}", "model", "args", {"x": [1]}),
        ("model.args.new.deep=1", "model", "args", None),
        (" keep_alive = 3m", None, "keep_alive", 180),
        ('output.path="./a=b"', "output", "path", "./a=b"),
    ],
)
def test_an_override_replaces_what_the_file_says(
    override: str, section: str | None, field: str, value: object, folder: Path
) -> None:
    job = load_batch(GOOD, folder, override)
    found = getattr(getattr(job, section) if section else job, field)
    match override:
        case "resources.gpus=all":
            assert found.maximum is None
        case "model.args.new.deep=1":
            assert found["new"] == {"deep": 1}
            assert found["a"] == 1
        case _:
            assert found == value


def test_the_last_of_two_counts(folder: Path) -> None:
    job = load_batch(GOOD, folder, "batch.in_flight=4", "batch.in_flight=5")
    assert job.batch.in_flight == 5


def test_an_override_can_mend_a_file_and_fill_an_empty_section(folder: Path) -> None:
    text = spoiled("in_flight: 3", "in_flight: 99")
    assert load_batch(text, folder, "batch.in_flight=4").batch.in_flight == 4
    short = "version: 1\nkind: batch\nmodel: {id: a/b}\n"
    job = load_batch(short, folder, "input.path=data.jsonl", "params.max_length=9")
    assert (job.input.path, job.params.max_length) == ("data.jsonl", 9)


@pytest.mark.parametrize(
    ("override", "code", "says"),
    [
        ("resources.gpu=2", Code.UNKNOWN_FIELD, "did you mean 'gpus'?"),
        ("gpus=2", Code.UNKNOWN_FIELD, "belongs in 'resources'"),
        ("resources.gpus=two", Code.BAD_VALUE, "resources.gpus 'two' — expected auto"),
        ("name=12", Code.BAD_VALUE, "name 12 — expected text"),
        ("name", Code.BAD_VALUE, "expected NAME=VALUE"),
        ("=x", Code.BAD_VALUE, "expected NAME=VALUE"),
        ("a..b=x", Code.BAD_VALUE, "expected NAME=VALUE"),
        ("name.x=1", Code.BAD_VALUE, "name is not a section"),
        ("params.max_length=.inf", Code.BAD_VALUE, "the value '.inf' — expected"),
        ("input.fields=[a", Code.UNREADABLE_YAML, "the closing ']'"),
        ("input.path=*.csv", Code.UNREADABLE_YAML, "put the value in quotes"),
        ("input.path=no.csv", Code.FILE_NOT_FOUND, "input.path 'no.csv' does not"),
        ("model=", Code.MISSING_FIELD, "either 'id'"),
    ],
)
def test_a_wrong_override_is_named_as_it_was_typed(
    override: str, code: Code, says: str, folder: Path
) -> None:
    (fault,) = faults(GOOD, folder, [override])
    assert fault.code is code
    assert says in fault.message
    assert fault.at == f"--set {override}"
    assert fault.excerpt == ()


def test_wrong_lines_and_wrong_overrides_come_together(folder: Path) -> None:
    found = faults(spoiled("kind: batch", "kind: x"), folder, ["name=12", "a"])
    assert [fault.at for fault in found] == ["j.yaml:3:7", "--set a", "--set name=12"]
