"""Makes jobs/data/definitions.jsonl from two public-domain dictionaries.

    apt-get download dict-devil dict-jargon
    for p in *.deb; do dpkg -x "$p" unpacked; done
    python scripts/make_demo_data.py unpacked/usr/share/dictd definitions.jsonl

Made with dict-devil 1.0-13.1 and dict-jargon 4.4.7-3.1.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

LONGEST_SENTENCES = 5
SHORTEST_CHARACTERS = 45
LONGEST_CHARACTERS = 900
SOFT_HYPHEN = "\u00ad"

DEVIL_ENTRY = re.compile(
    r"^([A-Z][A-Z' -]+),\s+(?:[a-z.]+\.?\s?)+\s+(?=[A-Z(\"'])", re.MULTILINE
)
SENSE = re.compile(r"(?:^|(?<=[.)\u201d\u2019] ))(\d{1,2})\. ")
SENTENCE_END = re.compile(
    r"(?:(?<=[.!?])|(?<=[.!?][\u201d\u2019\")])) +(?=[\u201c\u2018\"(]*[A-Z])"
)
# Entries, or senses, that only point elsewhere say nothing on their own.
POINTER = re.compile(r"^(?:\([^)]*\) )?(?:See\b|Compare |Syn\.|Oppose |Var\.|Same as )")
# What a part of speech or a register looks like in front of a sense.
LABELS = re.compile(
    r"^(?:\[[^\]]*\]|\((?:alt|var|also)\b[^)]*\)"
    r"|(?:n|v|vt|vi|adj|adv|interj|pl|obs|pref|suff)\.,? ?)+ *"
)
LEFTOVER = re.compile(
    r"[\[\]]|: \([^)]*\)\.?$|https?:|ftp:|www\.|[{}<>|\\_^~=]| - -|\bE\.g\.$"
)
UNFIT = re.compile(
    r"fuck|shit|cunt|nigg|negro|\brape|whore|bitch|masturbat|retard|pubic",
    re.IGNORECASE,
)


def main() -> None:
    """Reads both dictionaries and writes one row per definition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "dictd", type=Path, help="folder with devil and jargon .dict.dz"
    )
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    rows = [
        *devil(read(args.dictd / "devil.dict.dz")),
        *jargon(read(args.dictd / "jargon.dict.dz")),
    ]
    with args.output.open("w", encoding="utf-8") as out:
        for name, text in unique(rows):
            out.write(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n")


def read(path: Path) -> str:
    """The text of a dictd database; `.dz` is gzip with an index inside."""
    return gzip.decompress(path.read_bytes()).decode("utf-8").replace(SOFT_HYPHEN, "")


def devil(text: str) -> Iterator[tuple[str, str]]:
    """Prose definitions of The Devil's Dictionary; the verses are left out."""
    for entry in re.split(r"\n(?=[A-Z][A-Z' -]+, )", text):
        match = DEVIL_ENTRY.match(entry)
        if match:
            prose = entry[match.end() :].split("\n\n")[0]
            yield f"devil-{slug(match[1])}", titled(match[1].capitalize(), flat(prose))


def jargon(text: str) -> Iterator[tuple[str, str]]:
    """Senses of the Jargon File, one row each."""
    for entry in re.split(r"\n\n(?=\S)", text):
        head, _, body = entry.partition("\n")
        paragraphs = body.split("\n\n")
        if len(paragraphs) < 2 or head.startswith("00-"):
            continue
        for number, sense in senses(flat(unlinked(paragraphs[1]))):
            yield f"jargon-{slug(head)}{number}", titled(head.strip(), sense)


def senses(text: str) -> Iterator[tuple[str, str]]:
    """Splits `1. ... 2. ...`; a text without numbers is one sense."""
    text = LABELS.sub("", text)
    parts = SENSE.split(text)
    if len(parts) == 1:
        yield "", text
    for number, sense in zip(parts[1::2], parts[2::2], strict=True):
        yield f"-{number}", LABELS.sub("", sense)


def unlinked(text: str) -> str:
    """`{term}` links become the term, and the source's `esp.:` becomes `esp.`."""
    text = re.sub(r"\{\s*([^{}]*?)\s*\}", lambda link: flat(link[1]), text)
    return text.replace(".: ", ". ")


def flat(text: str) -> str:
    """One line, single spaces."""
    return " ".join(text.split())


def titled(term: str, definition: str) -> str:
    """`Term: definition`, cut to a few whole sentences without pointers."""
    parts = SENTENCE_END.split(definition)
    kept = [part for part in parts if not POINTER.match(part)][:LONGEST_SENTENCES]
    return f"{term.rstrip('.')}: {' '.join(kept)}" if kept else ""


def slug(term: str) -> str:
    """A term as part of an id."""
    return re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def unique(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Rows worth showing, each id and each text once."""
    seen: set[str] = set()
    for name, text in rows:
        if fit(text) and seen.isdisjoint((name, text)):
            seen.update((name, text))
            yield name, text


def fit(text: str) -> bool:
    """Plain prose of a sensible length, and fit for a demo."""
    return (
        SHORTEST_CHARACTERS <= len(text) <= LONGEST_CHARACTERS
        and text[-1] in '.!?)\u201d\u2019"'
        and not LEFTOVER.search(text)
        and not UNFIT.search(text)
    )


if __name__ == "__main__":
    main()
