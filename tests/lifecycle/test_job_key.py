from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.key import JobKey


@given(st.integers(1, 10**18 - 1), st.integers(-1, 10**9 - 1))
def test_text_and_back(number: int, task: int) -> None:
    key = JobKey(number, task)
    assert JobKey.parse(str(key)) == key
    assert key.is_task == ("." in str(key))
    assert str(key.whole) == str(number)


_NONE = ["", "0", "042", "-1", "42.", ".3", "42.03", "42.-1", "42.3.4", " 42", "42\n"]
_NONE += ["x", "42#2", "\u0664\u0662", "1" * 19, "42." + "1" * 10]


@pytest.mark.parametrize("text", _NONE)
def test_what_is_none(text: str) -> None:
    with pytest.raises(OrchError) as caught:
        JobKey.parse(text)
    assert caught.value.fault.code is Code.NO_SUCH_JOB


def test_the_order_is_that_of_submission() -> None:
    texts = ["9", "10.0", "10", "10.10", "10.9", "2.5"]
    ordered = sorted(map(JobKey.parse, texts))
    assert [str(key) for key in ordered] == ["2.5", "9", "10", "10.0", "10.9", "10.10"]
