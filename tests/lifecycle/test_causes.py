from __future__ import annotations

from typing import get_args

import pytest

from orchestrator.errors import Code, Fault
from orchestrator.lifecycle.causes import (
    RETRY_WORDS,
    Cause,
    cause_of,
    main_cause,
    state_of,
)
from orchestrator.spec.header import Retry


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_cause(code: Code) -> None:
    assert cause_of(Fault(code, "it happened")) in Cause


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_leads_to_an_end(cause: Cause) -> None:
    assert state_of(cause).final
    assert state_of(cause) != "SUCCEEDED"


@pytest.mark.parametrize(
    ("codes", "cause"),
    [
        ("E501", Cause.NODE_LOST),
        ("E501 E502", Cause.NODE_LOST),
        ("E502 E501", Cause.WORKER_DIED),
        ("E502 E104 E501", Cause.CUDA_OOM),
        ("E102 E103 E104", Cause.CONFIG_ERROR),
        ("", Cause.BUG),
    ],
)
def test_of_several_the_one_that_no_retry_cures(codes: str, cause: Cause) -> None:
    faults = [Fault(Code(code), "it happened") for code in codes.split()]
    assert main_cause(faults) is cause


def test_the_words_are_those_of_the_job_file() -> None:
    words, _ = get_args(Retry.model_fields["on"].annotation)
    assert set(RETRY_WORDS.values()) == set(get_args(words))
