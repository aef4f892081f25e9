from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import errors
from orchestrator.errors import EXIT_JOB_FAILED, EXIT_USAGE, Code, Fault, OrchError

LINES = st.lists(st.text(), max_size=3).map(tuple)
FAULTS = st.builds(
    Fault,
    code=st.sampled_from(Code),
    message=st.text(),
    facts=LINES,
    fix=st.text(),
    at=st.text(),
    excerpt=LINES,
)
EXIT_CODES = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


@given(FAULTS)
def test_a_fault_survives_json(fault: Fault) -> None:
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))) == fault


@given(st.lists(FAULTS, min_size=1, max_size=3))
def test_an_error_survives_the_way_to_another_process(faults: list[Fault]) -> None:
    error = OrchError(tuple(faults))
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is OrchError
        assert other.faults == error.faults
        assert str(other) == str(error)


def test_a_fault_is_read_from_its_code_and_message_alone() -> None:
    fault = Fault.from_json({"code": "E101", "message": "m"})
    assert fault == Fault(Code.NOT_ENOUGH_GPU_MEMORY, "m")


@pytest.mark.parametrize("code", Code, ids=str)
def test_every_code_has_an_exit_code_that_is_documented(code: Code) -> None:
    fault = Fault(code, "m")
    assert fault.exit_code in EXIT_CODES - {0}
    assert fault.to_json()["exit_code"] == fault.exit_code


@pytest.mark.parametrize("code", Code, ids=str)
def test_a_code_is_an_e_and_three_digits_and_has_a_name_in_words(code: Code) -> None:
    assert code.value[0] == "E"
    assert len(code.value) == 4
    assert int(code.value[1:]) >= 100
    assert code.slug == code.slug.lower()
    assert "_" not in code.slug


def test_mistakes_in_a_job_file_are_mistakes_of_use() -> None:
    for code in Code:
        if code.value.startswith("E2"):
            assert Fault(code, "m").exit_code == EXIT_USAGE
    assert Fault(Code.MODEL_FAILED_TO_LOAD, "m").exit_code == EXIT_JOB_FAILED


def test_an_error_shows_all_its_faults_and_the_first_decides() -> None:
    error = OrchError((Fault(Code.UNKNOWN_FIELD, "one"), Fault(Code.TIME_LIMIT, "two")))
    assert str(error) == "E201 one\nE403 two"
    assert error.fault.code is Code.UNKNOWN_FIELD


def test_an_error_of_one_fault() -> None:
    error = OrchError.of(Code.BAD_VALUE, "m", facts=("f",), fix="x", at="j:1:1")
    assert error.faults == (Fault(Code.BAD_VALUE, "m", ("f",), "x", "j:1:1"),)


def test_an_error_can_be_raised_with_a_cause_and_a_note() -> None:
    with pytest.raises(OrchError) as caught:  # noqa: PT012
        try:
            raise ValueError("inner")
        except ValueError as inner:
            error = OrchError.of(Code.BUG, "outer")
            error.add_note("seen here")
            raise error from inner
    assert isinstance(caught.value.__cause__, ValueError)
    assert hash(caught.value) == hash(OrchError.of(Code.BUG, "outer"))
