from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.paths import ROOT, pages, text_of

_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ELSEWHERE = ("http://", "https://", "mailto:")


def _prose(page: Path) -> str:
    return _CODE.sub("", text_of(page))


def _links(page: Path) -> Iterator[str]:
    for target in _LINK.findall(_prose(page)):
        if not target.startswith(_ELSEWHERE):
            yield unquote(target)


def _anchors(page: Path) -> set[str]:
    headings = _HEADING.findall(_prose(page))
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_there_are_pages_with_links() -> None:
    links = {page.as_posix(): list(_links(page)) for page in pages()}
    assert "docs/architecture.md" in links["README.md"]


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in _links(page):
        name, _, anchor = link.partition("#")
        target = (ROOT / page.parent / name).resolve() if name else ROOT / page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            lost.append(link)
    assert lost == []
