"""Which GPUs a job file's `gpu_type` means."""

from __future__ import annotations

import re
from collections.abc import Collection

_CONDITION = re.compile(r"cc\s*(>=|<=|==|=|>|<)\s*(\d{1,2})(?:\.(\d))?")


def matches(wanted: Collection[str], model: str, compute: int) -> bool:
    """Whether a GPU is of a wanted type.

    Args:
        wanted: Names of models, of which one must match, and conditions on the compute
            capability such as `cc>=8.0`, which must all hold. Empty: any GPU will do.
        model: The GPU's; a name matches if its words stand in it, `A10` not in `A100`.
        compute: The GPU's compute capability in tenths; 0 (not known) meets none.
    """
    conditions = [found for text in wanted if (found := _CONDITION.fullmatch(text))]
    names = [text for text in wanted if not _CONDITION.fullmatch(text)]
    return all(_holds(condition, compute) for condition in conditions) and (
        not names or any(_named(name, model) for name in names)
    )


def _holds(condition: re.Match[str], compute: int) -> bool:
    limit = int(condition[2]) * 10 + int(condition[3] or 0)
    if not compute:
        return False
    match condition[1]:
        case ">=":
            return compute >= limit
        case "<=":
            return compute <= limit
        case ">":
            return compute > limit
        case "<":
            return compute < limit
        case _:
            return compute == limit


def _named(name: str, model: str) -> bool:
    wanted, words = _words(name), _words(model)
    starts = range(len(words) - len(wanted) + 1)
    return any(words[i : i + len(wanted)] == wanted for i in starts)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
