"""Kills a run at its k-th step on the disk, for every k, and lets others resume.

Story: run A finishes; run B has another input and is stopped half-way; run C has yet
another input, and dies at step k. Then C comes back, or a new run D takes over.
A step is a call that opens a file for writing, renames, removes or makes something.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

from tests.data.runs import batch
from tests.data.test_previous import check, write_texts

Format = Literal["jsonl", "parquet"]

FIRST = ["a", "bb", "bad", "ccc", "é"]
SECOND = ["ccc", "x1", "x2", "x3", "bad", "x4", "x5"]
THIRD = ["x3", "y1", "é", "bad", "ccc", "y2", "x1", "y3"]
NEVER_AGAIN = {"a", "bb", "ccc", "é", "x1", "x2"}

_STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}


def die_at(step: int) -> None:
    """Kill this process when it begins its `step`-th change of the disk."""
    count = 0

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal count
        if event in _STEPS or (event == "open" and _writes(args)):
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

    sys.addaudithook(hook)


def _writes(args: tuple[object, ...]) -> bool:
    flags = args[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def in_child(work: Callable[[], None]) -> int:
    """Exit status of `work` in a process of its own; negative for a signal."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path, one: Format, other: Format) -> dict[str, object]:
    """How many steps a run has, and the steps at which a crash lost something."""
    file = folder / "in.jsonl"
    start = folder / "start"

    def prepare() -> None:
        batch(start, write_texts(file, FIRST), "A", format=one)
        batch(start, write_texts(file, SECOND), "B", stop_after=1)
        write_texts(file, THIRD)

    assert in_child(prepare) == 0
    wrong: list[str] = []
    step = 0
    while True:
        died = _crash(folder, file, other, step, wrong)
        if not died:
            return {"steps": step, "wrong": wrong}
        step += 1


def _crash(
    folder: Path, file: Path, other: Format, step: int, wrong: list[str]
) -> bool:
    died = False
    for heir in ("C", "D"):
        root = folder / f"{heir}{step}"
        shutil.copytree(folder / "start", root)

        def crash(root: Path = root) -> None:
            die_at(step)
            batch(root, file, "C", format=other)

        def resume(root: Path = root, heir: str = heir) -> None:
            ran = batch(root, file, heir, format=other)
            assert not NEVER_AGAIN & set(ran), ran
            check(root, THIRD)
            assert batch(root, file, heir, format=other) == []

        died = in_child(crash) == -signal.SIGKILL
        if in_child(resume) != 0:
            wrong.append(f"step {step}, resumed as {heir}")
        shutil.rmtree(root)
    return died


if __name__ == "__main__":
    formats = cast("list[Format]", sys.argv[2:4])
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), *formats)))
