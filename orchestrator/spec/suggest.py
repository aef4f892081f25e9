"""Did you mean ...?"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` was probably meant to be, or None.

    Case does not count, and `-` counts as `_`.
    """
    plain = {choice.lower().replace("-", "_"): choice for choice in choices}
    wanted = word[:100].lower().replace("-", "_")
    found = get_close_matches(wanted, plain, n=1, cutoff=0.6)
    return plain[found[0]] if found else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'gpu_memory'?`, or nothing."""
    choice = closest(word, choices)
    return f"; did you mean '{choice}'?" if choice else ""
