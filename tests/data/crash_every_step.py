"""Kills a run at its k-th step on the disk, for every k, and lets others resume.

Story: run A finishes; run B has another input and is stopped half-way; run C has yet
another input and is stopped too. With a fourth input C comes back, or a run D takes
over, and dies at step k; and once more a run comes back or takes over, and must find
all that was done.
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
THIRD = ["y2", "x3", "bad", "y1", "é", "bad", "z1"]
FOURTH = ["x3", "y1", "é", "bad", "ccc", "y2", "x1", "y3"]
DONE = {"a", "bb", "ccc", "é", "x1", "x2", "x3", "y1", "y2"}

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


def main(
    folder: Path, one: Format, other: Format, victim: str, heir: str
) -> dict[str, object]:
    """How many steps a run has, and the steps at which a crash lost something."""
    file = folder / "in.jsonl"
    start = folder / "start"

    def prepare() -> None:
        batch(start, write_texts(file, FIRST), "A", format=one)
        batch(start, write_texts(file, SECOND), "B", stop_after=1)
        batch(start, write_texts(file, THIRD), "C", stop_after=2)
        write_texts(file, FOURTH)

    def crash() -> None:
        die_at(step)
        batch(root, file, victim, format=other)

    def resume() -> None:
        ran = batch(root, file, heir, format=other)
        assert not DONE & set(ran), ran
        check(root, FOURTH)
        assert batch(root, file, heir, format=other) == []

    assert in_child(prepare) == 0
    wrong: list[int] = []
    step, died = 0, True
    while died:
        root = folder / str(step)
        shutil.copytree(start, root)
        died = in_child(crash) == -signal.SIGKILL
        if in_child(resume) != 0:
            wrong.append(step)
        shutil.rmtree(root)
        step += died
    return {"steps": step, "wrong": wrong}


if __name__ == "__main__":
    before, after = cast("list[Format]", sys.argv[2:4])
    report = main(Path(sys.argv[1]), before, after, *sys.argv[4:6])
    sys.stdout.write(json.dumps(report))
