"""Random folders with ignore files, drawn by Hypothesis and written to the disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hypothesis import strategies as st

NAMES = [
    *(b"a", b"b", b"ab", b"foo", b"bar", b"a.py", b"b.py", b"x.txt", b"foo.log"),
    *(b"[x]", b"a b", b"!a", b"#c", b"end ", b"\xc3\xa9", b"\xff", b"a-b", b"A1"),
    *(b"w\\v", b"venv", b"__pycache__", b"node_modules", b"x" * 120),
]
FRAGMENTS = [
    *(b"*", b"?", b"**", b"/", b"a", b"b", b"foo", b"bar", b".py", b"x", b"[ab]"),
    *(b"[!a]", b"[a-f]", b"[[:alpha:]]", b"[[:digit:]x]", b"[", b"]", b"\\", b"!"),
    *(b"#", b" ", b"\\ ", b"**/", b"/**", b"/**/", b"*.", b"[]a]", b"[^/]", b"[a-"),
    *(b"[:x:]", b"[\\]]", b"[[:bad:]]", b"\xc3\xa9", b"\r", b"[b-a]", b"-", b"***"),
    *(b"[--0]", b"[a\\-z]", b"\t", b"venv", b"\xef\xbb\xbf"),
]


@dataclass(frozen=True, slots=True)
class File:
    """A file's content and whether it can be executed."""

    content: bytes
    executable: bool


Tree: TypeAlias = "dict[bytes, File | Tree]"

_about_names = st.builds(
    lambda *parts: b"".join(parts),
    st.sampled_from([b"", b"!"]),
    st.sampled_from([b"", b"/", b"foo/", b"**/", b"a/"]),
    st.sampled_from(NAMES),
    st.sampled_from([b"", b"/", b"/*", b"/**"]),
)
_odd = st.builds(
    lambda sign, parts: sign + b"".join(parts),
    st.sampled_from([b"", b"", b"!"]),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5),
)
_ignore_files = st.builds(
    lambda lines, end: File(b"\n".join(lines) + end, executable=False),
    st.lists(_about_names | _odd, min_size=1, max_size=6),
    st.sampled_from([b"", b"\n", b"\r\n"]),
)
_files = st.builds(File, st.binary(max_size=20), st.booleans())


def _folders(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    plain = st.dictionaries(st.sampled_from(NAMES), _files | inner, max_size=5)
    ignored = st.fixed_dictionaries({}, optional={b".gitignore": _ignore_files})
    return st.builds(lambda one, two: {**one, **two}, plain, ignored)


trees: st.SearchStrategy[Tree] = st.recursive(
    _folders(st.nothing()), _folders, max_leaves=6
)


def write_tree(folder: Path, tree: Tree) -> None:
    """Make the tree in this folder, which is there already."""
    for name, item in tree.items():
        path = folder / os.fsdecode(name)
        if isinstance(item, File):
            path.write_bytes(item.content)
            path.chmod(0o755 if item.executable else 0o644)
        else:
            path.mkdir()
            write_tree(path, item)
