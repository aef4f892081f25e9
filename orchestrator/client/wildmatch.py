"""Git's wildcards as regular expressions, after its `wildmatch.c`; all on bytes."""

from __future__ import annotations

import re
import string

_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, (*range(32), 127))),
    b"digit": string.digits,
    b"graph": string.ascii_letters + string.digits + string.punctuation,
    b"lower": string.ascii_lowercase,
    b"print": string.ascii_letters + string.digits + string.punctuation + " ",
    b"punct": string.punctuation,
    b"space": string.whitespace,
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}
_STARS = re.compile(rb"\*+")
_CLASS = re.compile(rb"\[:([^]]*):\]")
_SLASH = ord("/")


class _MalformedError(Exception):
    """The pattern is none; git lets it match nothing."""


def regular_expression(pattern: bytes) -> re.Pattern[bytes] | None:
    """What `pattern` stands for, for a full match; `None` if it can match nothing."""
    parts: list[bytes] = []
    at = 0
    try:
        while at < len(pattern):
            part, at = _next(pattern, at)
            parts.append(part)
    except _MalformedError:
        return None
    return re.compile(b"".join(parts), re.DOTALL)


def _next(pattern: bytes, at: int) -> tuple[bytes, int]:
    """The expression of what stands at `at`, and where the next thing stands."""
    match pattern[at : at + 1]:
        case b"*":
            return _stars(pattern, at)
        case b"?":
            return b"[^/]", at + 1
        case b"[":
            return _set(pattern, at + 1)
        case _:
            code, end = _plain(pattern, at)
            return b"\\x%02x" % code, end


def _stars(pattern: bytes, at: int) -> tuple[bytes, int]:
    """One star stays in a folder; two between slashes stand for any folders."""
    stars = _STARS.match(pattern, at)
    assert stars is not None
    end = stars.end()
    begins = at == 0 or pattern[at - 1] == _SLASH
    ends = end == len(pattern) or pattern.startswith((b"/", b"\\/"), end)
    if end - at == 1 or not (begins and ends):
        return b"[^/]*", end
    if pattern.startswith(b"/", end):
        return b"(?:.*/)?", end + 1
    return b".*", end


def _set(pattern: bytes, at: int) -> tuple[bytes, int]:
    """A set in brackets, from behind the opening one."""
    negated = pattern[at : at + 1] in (b"!", b"^")
    first = at = at + negated
    wanted: set[int] = set()
    low = -1
    while at == first or pattern[at : at + 1] != b"]":
        members, low, at = _members(pattern, at, low)
        wanted |= members
    allowed = (set(range(256)) - wanted if negated else wanted) - {_SLASH}
    codes = b"".join(b"\\x%02x" % code for code in sorted(allowed))
    return (b"[" + codes + b"]" if codes else b"(?!)"), at + 1


def _members(pattern: bytes, at: int, low: int) -> tuple[set[int], int, int]:
    """What stands at `at` in a set; where a range can start then; the next place.

    Args:
        pattern: All of it.
        at: Where it stands.
        low: The byte before, if a range can start with it, or -1.
    """
    if (named := _CLASS.match(pattern, at)) is not None:
        if named[1] not in _CLASSES:
            raise _MalformedError
        return set(map(ord, _CLASSES[named[1]])), -1, named.end()
    high = pattern[at + 1 : at + 2]
    if low >= 0 and pattern[at : at + 1] == b"-" and high not in (b"", b"]"):
        code, end = _plain(pattern, at + 1)
        return set(range(low, code + 1)), -1, end
    code, end = _plain(pattern, at)
    return {code}, code, end


def _plain(pattern: bytes, at: int) -> tuple[int, int]:
    """The byte at `at`, or behind the backslash there; the next place."""
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        raise _MalformedError
    return pattern[at], at + 1
