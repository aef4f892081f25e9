"""Which files stay at home: `.gitignore` and `.orchignore`, read as git reads them.

Git's rules are those of its `dir.c` and `wildmatch.c`, and work on bytes.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.client.wildmatch import regular_expression
from orchestrator.errors import Code, OrchError

IGNORE_FILES = (".gitignore", ".orchignore")
"""Of one folder, the rules of the second win."""

ALWAYS = b".venv\nvenv\n__pycache__\nnode_modules\n"
"""Rules before all others: any file can take them back."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ignore file.

    Attributes:
        keeps: It begins with `!`: what it matches travels after all.
        folders_only: It ends with a slash.
        by_name: It has no other slash: it is about names, at any depth.
        literal: What the name or path must begin with.
        rest: What must follow; `None` for nothing.
    """

    keeps: bool
    folders_only: bool
    by_name: bool
    literal: bytes
    rest: re.Pattern[bytes] | None

    def matches(self, path: bytes, name: bytes) -> bool:
        """Whether it is about this path, seen from its folder; `name` is its end."""
        text = name if self.by_name else path
        if self.rest is None:
            return text == self.literal
        if not text.startswith(self.literal):
            return False
        return self.rest.fullmatch(text, len(self.literal)) is not None


@dataclass(frozen=True, slots=True)
class Ignore:
    """The rules in force in one folder: its own, and those of the folders above it.

    Attributes:
        rules: Its own, the strongest first.
        above: Those of the nearest folder above that has any.
        place: This folder seen from there, with a slash at the end.
    """

    rules: tuple[Rule, ...]
    above: Ignore | None = None
    place: bytes = b""

    def leaves_out(self, path: bytes, *, folder: bool) -> bool:
        """Whether a path seen from this folder stays at home.

        It says nothing about what lies in a folder that stays at home itself.
        """
        name = path.rpartition(b"/")[2]
        for rule in self.rules:
            if (folder or not rule.folders_only) and rule.matches(path, name):
                return not rule.keeps
        if self.above is None:
            return False
        return self.above.leaves_out(self.place + path, folder=folder)

    def inside(self, folder: Path) -> Ignore:
        """The rules in a folder right inside this one.

        Raises:
            OrchError: E204, one of its ignore files cannot be read.
        """
        place = os.fsencode(folder.name) + b"/"
        rules = rules_of(folder)
        if rules or self.above is None:
            return Ignore(rules, self, place)
        if not self.rules:
            return Ignore((), self.above, self.place + place)
        return Ignore((), self, place)


def ignore_rules(folder: Path) -> Ignore:
    """The rules in `folder`; in a git repository, those of the folders above count too.

    They do not if they leave out `folder` itself: somebody named it all the same.

    Raises:
        OrchError: E204, an ignore file cannot be read.
    """
    start = Ignore(_parse(ALWAYS))
    repository = next((at for at in (folder, *folder.parents) if _has_git(at)), folder)
    current = Ignore(rules_of(repository), start)
    at = repository
    for part in folder.relative_to(repository).parts:
        at = at / part
        if current.leaves_out(os.fsencode(part), folder=True):
            return Ignore(rules_of(folder), start)
        current = current.inside(at)
    return current


def rules_of(folder: Path) -> tuple[Rule, ...]:
    """The rules of a folder's own ignore files, the strongest first."""
    lines = [_content(folder / name) for name in IGNORE_FILES]
    return _parse(b"\n".join(lines)) if any(lines) else ()


def _has_git(folder: Path) -> bool:
    return (folder / ".git").exists()


def _content(path: Path) -> bytes:
    # Like git, never through a link.
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return file.read().removeprefix(b"\xef\xbb\xbf")
    except PermissionError as error:
        message = f"'{path}' cannot be read: {error.strerror}"
        raise OrchError.of(Code.FILE_NOT_FOUND, message, at="workdir") from error
    except OSError:
        return b""


def _parse(content: bytes) -> tuple[Rule, ...]:
    rules = [_rule(line.removesuffix(b"\r")) for line in content.split(b"\n")]
    return tuple(rule for rule in reversed(rules) if rule is not None)


_TRAILING_SPACES = re.compile(rb"((?:[^\\]|\\.)*?) *", re.DOTALL)


def _rule(line: bytes) -> Rule | None:
    if line.startswith(b"#"):
        return None
    kept = _TRAILING_SPACES.fullmatch(line)
    pattern = kept[1] if kept else line
    keeps = pattern.startswith(b"!")
    pattern = pattern[keeps:]
    folders_only = pattern.endswith(b"/")
    pattern = pattern.removesuffix(b"/")
    by_name = b"/" not in pattern
    pattern = pattern.removeprefix(b"/")
    literal = re.match(rb"[^*?[\\]*", pattern)
    assert literal is not None
    if not pattern:
        return None
    if literal[0] == pattern:
        return Rule(keeps, folders_only, by_name, pattern, None)
    expression = regular_expression(pattern[literal.end() :])
    if expression is None:
        return None
    return Rule(keeps, folders_only, by_name, literal[0], expression)
