from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import EXIT_USAGE, Code, OrchError
from orchestrator.spec.environment import resolve_env
from tests.spec.sample import load

TEXT = """\
version: 1
kind: command
run: x
env: {A: null, B: 'b {index}', TOKEN: null, C: ''}
secrets: [TOKEN, KEY, KEY]
"""


def test_values_come_from_the_file_and_from_the_caller(tmp_path: Path) -> None:
    job = load(TEXT, tmp_path).job
    environ = {"A": "1", "B": "other", "TOKEN": "t", "KEY": "k", "HOME": "/"}
    assert resolve_env(job, environ) == (
        {"A": "1", "B": "b {index}", "C": ""},
        {"TOKEN": "t", "KEY": "k"},
    )


def test_all_that_is_missing_is_told_at_its_place(tmp_path: Path) -> None:
    loaded = load(TEXT, tmp_path)
    with pytest.raises(OrchError) as caught:
        resolve_env(loaded.job, {"HOME": "/"}, loaded)
    faults = caught.value.faults
    assert [(fault.code, fault.at) for fault in faults] == [
        (Code.MISSING_FIELD, "j.yaml:4:10"),
        (Code.MISSING_FIELD, "j.yaml:4:39"),
        (Code.MISSING_FIELD, "j.yaml:5:18"),
    ]
    assert faults[0].message == "env: 'A' has no value where you submit"
    assert faults[0].fix.endswith("or give it a value in the job file.")
    assert faults[2].fix == "export KEY=... first; its value is shown nowhere."
    assert faults[0].exit_code == EXIT_USAGE


def test_without_a_file_the_names_are_enough(tmp_path: Path) -> None:
    with pytest.raises(OrchError) as caught:
        resolve_env(load(TEXT, tmp_path).job, {})
    assert [fault.at for fault in caught.value.faults] == ["", "", ""]


def test_a_value_that_is_no_text_is_refused(tmp_path: Path) -> None:
    environ = {"A": b"\xff".decode(errors="surrogateescape"), "TOKEN": "", "KEY": ""}
    with pytest.raises(OrchError) as caught:
        resolve_env(load(TEXT, tmp_path).job, environ)
    (fault,) = caught.value.faults
    assert fault.message == "env: the value of 'A' is not UTF-8 text"
