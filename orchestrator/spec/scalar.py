"""Plain words of YAML as values.

YAML 1.2's core schema, not PyYAML's 1.1: `on`, `no` and dates are text, `1e-4` is a
number, and a number is one that every program can read: finite and within 64 bits.
"""

from __future__ import annotations

import math
import re

_PREFIX = "tag:yaml.org,2002:"
NULL, BOOL, INT, FLOAT, STR = (
    _PREFIX + name for name in ("null", "bool", "int", "float", "str")
)
SEQ, MAP = _PREFIX + "seq", _PREFIX + "map"
KNOWN = frozenset((NULL, BOOL, INT, FLOAT, STR, SEQ, MAP))

_KINDS = (
    (NULL, re.compile(r"|~|null|Null|NULL")),
    (BOOL, re.compile(r"true|True|TRUE|false|False|FALSE")),
    (INT, re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    (
        FLOAT,
        re.compile(
            r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
            r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
        ),
    ),
)


def tag_of(text: str) -> str:
    """What an unquoted word is."""
    return next((tag for tag, kind in _KINDS if kind.fullmatch(text)), STR)


def value_of(tag: str, text: str) -> str | int | float | bool | None:
    """The value of a scalar.

    Raises:
        ValueError: The text is not of that kind, or not a value we take; says which
            kind is expected.
    """
    match tag:
        case _ if tag == NULL:
            return None
        case _ if tag == BOOL:
            return _bool(text)
        case _ if tag == INT:
            return _int(text)
        case _ if tag == FLOAT:
            return _float(text)
    return _text(text)


def _bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


def _int(text: str) -> int:
    if not _KINDS[2][1].fullmatch(text):
        raise ValueError("expected a whole number")
    # 64 bits have fewer digits; a long one must not reach int(), which has a limit.
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    number = 1 << 64 if len(text) > 70 else int(text, base)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError("expected a number that fits 64 bits")
    return number


def _float(text: str) -> float:
    if not any(kind.fullmatch(text) for _, kind in _KINDS[2:]):
        raise ValueError("expected a number")
    number = float(re.sub(r"\.(inf|nan)$", r"\1", text, flags=re.IGNORECASE))
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _text(text: str) -> str:
    try:
        # JSON writes a character beyond 16 bits as two escapes, and JSON is YAML.
        joined = text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        joined = "\0"
    if "\0" in joined:
        raise ValueError("expected text that can be written as UTF-8, without NUL")
    return joined
