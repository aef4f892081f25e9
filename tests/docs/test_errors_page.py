from __future__ import annotations

import re

from orchestrator import errors
from orchestrator.errors import Code
from tests.docs.paths import ROOT, text_of

_SECTION = re.compile(r"^### (.+?)\n\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
_EXIT_ROW = re.compile(r"^\| ([\d, ]+) \|", re.MULTILINE)
_OF_THE_SHELL = {141, 143}


def _sections() -> dict[str, str]:
    return dict(_SECTION.findall(text_of("docs/errors.md")))


def _raised() -> set[Code]:
    """Codes that the package's sources use, beside the table itself."""
    sources = (ROOT / "orchestrator").rglob("*.py")
    text = "\n".join(p.read_text("utf-8") for p in sources if p.name != "errors.py")
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
