from __future__ import annotations

import os

import pytest

from orchestrator.client.environment import environment
from orchestrator.errors import EXIT_USAGE, Code, Fault, OrchError
from orchestrator.spec.checked import CheckedJob, checked
from orchestrator.spec.load import load_job_text

TEXT = """\
version: 1
kind: command
run: echo $A
env: {A: null, B: 'b {index}', TOKEN: null, C: ''}
secrets:
# KEY opens everything
- TOKEN
- KEY
- KEY
"""


def job_of(text: str, *overrides: str) -> CheckedJob:
    return checked(load_job_text(text, "j.yaml", overrides=overrides))


def refused(job: CheckedJob) -> tuple[Fault, ...]:
    with pytest.raises(OrchError) as caught:
        environment(job)
    assert caught.value.faults[0].exit_code == EXIT_USAGE
    return caught.value.faults


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A", "B", "C", "TOKEN", "KEY"):
        monkeypatch.delenv(name, raising=False)


def test_values_come_from_the_file_and_from_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"A": "1", "B": "other", "TOKEN": "t", "KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    assert environment(job_of(TEXT)) == (
        {"A": "1", "B": "b {index}", "C": ""},
        {"TOKEN": "t", "KEY": "k"},
    )


def test_all_that_is_missing_is_told_at_its_place() -> None:
    text = TEXT.replace("- KEY\n- KEY\n", "- KEY  # not TOKEN\n")
    faults = refused(job_of(text))
    assert [(fault.code, fault.at) for fault in faults] == [
        (Code.MISSING_FIELD, "j.yaml:4"),
        (Code.MISSING_FIELD, "j.yaml:8"),
        (Code.MISSING_FIELD, "j.yaml:4"),
    ]
    message = "the job needs A from your environment, and it is not set"
    assert faults[0].message == message
    assert faults[0].fix == "export A=..., or --env A=VALUE"
    assert faults[1].fix == "export KEY=...", "no secret on a command line"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (TEXT, "j.yaml"),
        ("version: 1\nkind: command\nrun: A\nenv:\n\n  X: A1\n  A:\n", "j.yaml:7"),
        ("version: 1\nkind: command\nrun: 'A'\n", "j.yaml"),
    ],
    ids=["twice", "among others", "only on the command line"],
)
def test_without_a_place_the_file_is_enough(text: str, at: str) -> None:
    name = "KEY" if text is TEXT else "A"
    faults = refused(job_of(text, *(() if "env" in text else ("env.A=null",))))
    assert [f.at for f in faults if f" {name} " in f.message] == [at]


def test_a_value_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", os.fsdecode(b"\xff"))
    monkeypatch.setenv("TOKEN", "")
    faults = refused(job_of(TEXT))
    assert [(fault.code, fault.message) for fault in faults] == [
        (
            Code.MISSING_FIELD,
            "the job needs KEY from your environment, and it is not set",
        ),
        (Code.BAD_VALUE, "the value of A is not UTF-8 text"),
    ]
