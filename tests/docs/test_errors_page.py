from __future__ import annotations

import re

from orchestrator import errors
from orchestrator.errors import Code
from orchestrator.lifecycle.causes import RETRY_WORDS, Cause, state_of
from orchestrator.lifecycle.states import State
from orchestrator.scheduling.waiting import Tier
from tests.docs.paths import ROOT, text_of

_SECTION = re.compile(r"^### (.+?)\n\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
_EXIT_ROW = re.compile(r"^\| ([\d, ]+) \|", re.MULTILINE)
_OF_THE_SHELL = {141, 143}
_TABLES = ("errors.py", "causes.py")


def _sections() -> dict[str, str]:
    return dict(_SECTION.findall(text_of("docs/errors.md")))


def _raised() -> set[Code]:
    """Codes that the package's sources use, beside the tables that have them all."""
    sources = (ROOT / "orchestrator").rglob("*.py")
    text = "\n".join(p.read_text("utf-8") for p in sources if p.name not in _TABLES)
    return {code for code in Code if re.search(rf"Code\.{code.name}\b|\"{code}:", text)}


def test_every_code_has_its_section_and_there_is_no_other() -> None:
    assert list(_sections()) == [f"{code} {code.slug}" for code in Code]


def test_a_section_says_whether_its_code_can_occur() -> None:
    reserved = {
        title.partition(" ")[0]
        for title, text in _sections().items()
        if text.startswith("*Not raised yet:*")
    }
    assert reserved == {str(code) for code in set(Code) - _raised()}


def test_a_section_says_how_to_check_and_how_to_fix() -> None:
    for title, text in _sections().items():
        if not text.startswith("*Not raised yet:*"):
            assert "*Check:*" in text, title
            assert "*Fix:*" in text, title


def test_every_exit_code_is_in_the_table_and_no_other() -> None:
    codes = {v for name, v in vars(errors).items() if name.startswith("EXIT_")}
    listed = ",".join(_EXIT_ROW.findall(text_of("docs/errors.md")))
    assert {int(number) for number in listed.split(",")} == codes | _OF_THE_SHELL


def test_every_final_state_is_in_the_table() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \|", text_of("docs/errors.md"), re.MULTILINE)
    assert rows == [str(state) for state in State if state.final]


def test_the_page_of_the_queue_has_what_each_cause_leads_to() -> None:
    table = text_of("docs/queue.md").partition("| cause |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)`.*?\|.*?\|(.*?)\| (\w+) \|", table, re.MULTILINE)
    said = {name: (re.findall(r"`(\w+)`", word)[:1], end) for name, word, end in rows}
    known = {
        str(cause): ([RETRY_WORDS[cause]] if cause in RETRY_WORDS else [], state)
        for cause, state in ((cause, str(state_of(cause))) for cause in Cause)
    }
    assert said == known


def test_the_page_of_the_queue_has_every_reason_to_wait() -> None:
    """But the one that nothing gives yet."""
    table = text_of("docs/queue.md").partition("| reason |")[2].partition("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert named == [str(tier) for tier in Tier if tier is not Tier.HELD]
