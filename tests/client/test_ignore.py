"""What stays at home, compared with what git itself says."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.client.ignore import ALWAYS
from orchestrator.client.tree import Kind, walk
from tests.client.trees import File, Tree, trees, write_tree

PATTERNS = [
    *("nothing", "foo", "/foo", "foo/", "a/", "/a/", "*", "/*", "*/", "**", "**/"),
    *("*.py", "b.*", "?", "???", "x/foo", "x/*", "x/**", "x/*/c", "x/**/c", "**/c"),
    *("**/a/c", "/**/c", "x/**/", "a**", "**o", "x/a**c", "x**/c", "x**c", "***/c"),
    *("[ac]", "[!a]*", "[^a]*", "[a-f]", "[c-a]", "[]c]", "a[[]b", "a[b", "x[/]c"),
    *(
        "[-c]",
        "[!-a]",
        "[[:alpha:]]",
        "[[:alpha:][:punct:]]*",
        "[[:nope:]c]",
        "[[:alpha:]",
        "[c-]",
    ),
    *("\\c", "c\\", "\\*", "a\\[b", "x\\/c", "x/**\\/c", "[\\c]", "[b-\\d]"),
    *("#c", "\\#c", "!c", "\\!c", "c ", "c\\ ", "\\ ", "  ", "c\r", "c\t", "/", "//"),
    *("*\n!c", "*\n!*/\n!c", "a\n!a/c", "foo.d/*\n!foo.d/c", "/*\n!/x\n/x/*\n!/x/c"),
    *("\ufeffc", "x//c", "./c", "x/./c", "foo.d/**\n!foo.d/**/c", "*.d/c", "*/c"),
]


def make_repository(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "--template=", folder], check=True)
    # The one place of git's that is weaker than all ignore files, as ALWAYS is.
    (folder / ".git/info").mkdir()
    (folder / ".git/info/exclude").write_bytes(ALWAYS)


def git(folder: Path, *arguments: str, asked: bytes = b"") -> bytes:
    # Not the rules of whoever runs the tests.
    place = ("-C", str(folder), "-c", "core.excludesFile=/dev/null")
    ended = subprocess.run(
        ("git", *place, *arguments),
        check=False,
        input=asked,
        stdout=subprocess.PIPE,
    )
    # 1 is the answer of check-ignore when nothing is ignored.
    assert ended.returncode in (0, 1)
    return ended.stdout


def kept_by_git(folder: Path) -> set[str]:
    listed = git(folder, "ls-files", "-coz", "--exclude-standard")
    return set(map(os.fsdecode, listed.split(b"\0"))) - {""}


def ignored_by_git(folder: Path, *paths: str) -> bytes:
    asked = b"\0".join(map(os.fsencode, paths))
    return git(folder, "check-ignore", "-z", "--stdin", asked=asked)


def kept_by_us(folder: Path) -> set[str]:
    return {e.name for e in walk(folder) if e.kind is not Kind.FOLDER}


def file(*lines: str) -> File:
    return File("\n".join(lines).encode(), executable=False)


@given(st.lists(trees, min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_what_travels_is_what_git_would_add(several: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_repository(folder)
        # Each in a folder of its own: git takes as long for one as for many.
        write_tree(folder, {b"%d" % n: tree for n, tree in enumerate(several)})
        assert kept_by_us(folder) == kept_by_git(folder)
        folders = [e.name for e in walk(folder) if e.kind is Kind.FOLDER]
        assert not ignored_by_git(folder, *folders)


def test_every_kind_of_pattern_means_what_it_means_to_git(tmp_path: Path) -> None:
    leaves: Tree = {name: file() for name in (b"b.py", b"c", b"foo", b"a[b", b" ")}
    inner: Tree = {**leaves, b"a": leaves, b"foo.d": leaves}
    tree: Tree = {**inner, b"x": inner, b"ab": inner}
    make_repository(tmp_path)
    write_tree(
        tmp_path,
        {b"%d" % n: {**tree, b".gitignore": file(p)} for n, p in enumerate(PATTERNS)},
    )
    kept = kept_by_us(tmp_path)
    assert kept == kept_by_git(tmp_path)
    every = len(kept_by_us(tmp_path / "0"))
    assert len(kept) < every * len(PATTERNS)


@given(trees, st.sampled_from(["a", "foo", "foo/a", "b.py/foo"]))
@settings(max_examples=30, deadline=None)
def test_below_a_repository_its_rules_count_too(tree: Tree, below: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        repository = Path(name)
        make_repository(repository)
        rules = {path: it for path, it in tree.items() if path == b".gitignore"}
        write_tree(repository, rules)
        folder = repository / below
        folder.mkdir(parents=True)
        write_tree(folder, tree)
        if ignored_by_git(repository, below):
            # Git would add nothing at all; somebody wants to run what is here.
            (repository / ".gitignore").unlink()
        assert kept_by_us(folder) == kept_by_git(folder)


def test_our_own_file_wins_over_gits_of_the_same_folder(tmp_path: Path) -> None:
    tree: Tree = {
        **{name: file() for name in (b"data.bin", b"big.bin", b"notes", b"train.py")},
        b".gitignore": file("*.bin"),
        b".orchignore": file("!data.bin", "notes"),
    }
    write_tree(tmp_path, tree)
    assert kept_by_us(tmp_path) == {
        *(".gitignore", ".orchignore", "data.bin", "train.py")
    }


@pytest.mark.parametrize("name", [".venv", "venv", "__pycache__", "node_modules"])
def test_what_never_travels_unasked(name: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {b"pkg": {name.encode(): {b"x.py": file()}, b"y": file()}})
    assert kept_by_us(tmp_path) == {"pkg/y"}
    (tmp_path / ".orchignore").write_text(f"!{name}")
    assert kept_by_us(tmp_path) == {".orchignore", "pkg/y", f"pkg/{name}/x.py"}


def test_git_never_travels(tmp_path: Path) -> None:
    write_tree(tmp_path, {b".git": {b"config": file()}, b"sub": {b".git": file()}})
    (tmp_path / ".orchignore").write_text("!.git")
    assert kept_by_us(tmp_path) == {".orchignore"}


def test_an_ignore_file_that_is_a_link_or_a_folder_says_nothing(tmp_path: Path) -> None:
    write_tree(tmp_path, {b"rules": file("*.py"), b"a.py": file(), b".gitignore": {}})
    (tmp_path / ".orchignore").symlink_to("rules")
    assert kept_by_us(tmp_path) == {".orchignore", "a.py", "rules"}
