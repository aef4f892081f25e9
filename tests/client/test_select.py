from __future__ import annotations

import pytest

from orchestrator.client.select import pick
from orchestrator.client.views import JobView
from orchestrator.errors import Code, OrchError
from tests.client import documents

NAMES = {4: "embed", 3: "embed-long", 2: "summary", 1: "embed-long"}
JOBS = tuple(
    JobView.from_json(documents.job(number, name=name))
    for number, name in NAMES.items()
)


@pytest.mark.parametrize(
    ("selector", "job_id"),
    [
        ("last", 4),
        ("@", 4),
        ("@~0", 4),
        ("@~3", 1),
        ("last~1", 3),
        ("s", 2),
        ("embed", 4),  # a whole name goes before longer ones
    ],
)
def test_a_selector_means_one_job(selector: str, job_id: int) -> None:
    assert pick(selector, JOBS).id == job_id


@pytest.mark.parametrize("selector", ["@~4", "x", "mbed", "@~x"])
def test_what_means_no_job_is_e301(selector: str) -> None:
    with pytest.raises(OrchError) as error:
        pick(selector, JOBS)
    assert error.value.fault.code is Code.NO_SUCH_JOB


@pytest.mark.parametrize(("selector", "ids"), [("embed-", "31"), ("e", "431")])
def test_what_means_several_lists_them_and_exits_2(selector: str, ids: str) -> None:
    with pytest.raises(OrchError) as error:
        pick(selector, JOBS)
    fault = error.value.fault
    assert fault.exit_code == 2
    assert "".join(fact[0] for fact in fault.facts) == ids
