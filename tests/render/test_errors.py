from __future__ import annotations

import pytest

from orchestrator.errors import Code, Fault
from orchestrator.render.errors import fault_lines, show_faults
from orchestrator.render.talk import Talk

FAULT = Fault(
    Code.UNKNOWN_FIELD,
    "'gpu_mem' is not a field of 'resources'",
    ("Fields: gpus",),
    "write gpu_memory",
    "j.yaml:9:3",
    ("   8 │ resources:", "   9 │   gpu_mem: 20GB", "     │   ^^^^^^^"),
)


def test_a_fault_shows_code_place_excerpt_facts_and_fix() -> None:
    assert fault_lines(FAULT) == [
        "error[E201 unknown-field]: j.yaml:9:3: "
        "'gpu_mem' is not a field of 'resources'",
        "     8 │ resources:",
        "     9 │   gpu_mem: 20GB",
        "       │   ^^^^^^^",
        "  Fields: gpus",
        "  fix: write gpu_memory",
    ]


def test_a_bare_fault_is_one_line() -> None:
    fault = Fault(Code.NO_SUCH_JOB, "there is no job 1")
    assert fault_lines(fault) == ["error[E301 no-such-job]: there is no job 1"]


def test_several_are_counted_and_untrusted_text_is_no_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = Fault(Code.BAD_VALUE, "[/nope] [red]x[/red] :smile: " + "long " * 40)
    show_faults(Talk(), (odd, FAULT))
    said = capsys.readouterr().err
    assert f"error[E203 bad-value]: {odd.message}\n" in said
    assert said.endswith("2 errors\n")
