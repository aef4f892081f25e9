"""The output folder of a job, and every step on it that a crash may interrupt.

Layout
    results.jsonl | results.parquet, failed.jsonl, manifest.json: what the user reads
    .orch/run.json     which run writes here, and the identity of all results here
    .orch/parts/       the finished chunks of that run, by row number
    .orch/previous/N/  parts of runs that did not finish, found by key
    .orch/next/        results being merged; worth nothing until renamed to
    .orch/ready/       results complete: from here on they are put in place, whatever
                       crashes; parts and previous go only after that
    .orch/index.json, keys, offsets: what is needed to take rows from the results
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from orchestrator.data.files import remove_leftovers, sync_folder, write_atomic
from orchestrator.data.index import INDEX, KEYS, OFFSETS, read_index
from orchestrator.data.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from orchestrator.data.merge import FAILED
from orchestrator.data.parts import PartStore
from orchestrator.errors import Code, OrchError

OnExists = Literal["resume", "fail", "overwrite"]

_RESULTS = ("results.jsonl", "results.parquet")
_VISIBLE = (*_RESULTS, FAILED, MANIFEST)
_INDEX_FILES = (INDEX, KEYS, OFFSETS)


@dataclass(frozen=True, slots=True)
class Run:
    """Who writes to an output folder.

    Attributes:
        id: Unique over all runs of all time; the same when a run's process starts
            again after a crash.
        input: Identity of the input, such as `source.stamp`: parts go by row number
            only while it stays the same.
        identity: What must be equal for a result to be reused: model, revision, dtype,
            parameters, fields. JSON values.
    """

    id: str
    input: str
    identity: Mapping[str, Any]


class OutputFolder:
    """An output folder, opened for a run. One run at a time."""

    def __init__(self, root: Path, run: Run) -> None:
        """Use `open`; this neither looks nor changes anything."""
        self.root = root
        # As it will be read back: a tuple comes back as a list.
        identity = orjson.loads(orjson.dumps(dict(run.identity)))
        self.run = Run(run.id, run.input, identity)
        self.work = root / ".orch"
        self.next = self.work / "next"

    @classmethod
    def open(cls, root: Path, run: Run, on_exists: OnExists) -> OutputFolder:
        """Prepare the folder for `run`, finishing first what a crash interrupted.

        A run that comes back finds its parts. Another run keeps what is there as
        previous (`resume`), starts over (`overwrite`) or is refused (`fail`).

        Raises:
            OrchError: E304 when results are there and may not be used: `fail`, or
                other settings, or files that no run has written.
        """
        folder = cls(root, run)
        run = folder.run
        folder.work.mkdir(parents=True, exist_ok=True)
        folder._recover()
        written = _read_run(folder.work)
        if written is None or written.id != run.id:
            folder._enter(written, on_exists)
        elif written.identity != run.identity:
            raise _other_settings(root, written.identity, run.identity)
        elif written.input != run.input:
            folder._retire_parts()
            folder._write_run()
        return folder

    @property
    def finished(self) -> Manifest | None:
        """The manifest, if this very run has put its results in place."""
        index = read_index(self.work)
        if index is None or index.run != self.run.id:
            return None
        return read_manifest(self.root)

    def parts(self) -> PartStore:
        """The store of this run's parts."""
        return PartStore(self.work / "parts")

    def commit(self, manifest: Manifest) -> Path:
        """Put what was merged into `next` in place and drop the parts.

        Either all of the new files are seen after a crash, or all of the old ones.

        Returns:
            Path of the results file.
        """
        write_manifest(self.next, manifest)
        self.next.rename(self.work / "ready")
        sync_folder(self.work)
        self._recover()
        index = read_index(self.work)
        assert index is not None
        return self.root / index.results

    def _recover(self) -> None:
        remove_leftovers(self.work)
        if self.next.exists():
            shutil.rmtree(self.next)
        ready = self.work / "ready"
        if not ready.exists():
            return
        for path in sorted(ready.iterdir()):
            home = self.work if path.name in _INDEX_FILES else self.root
            path.replace(home / path.name)
        sync_folder(self.root)
        sync_folder(self.work)
        index = read_index(self.work)
        for name in _RESULTS:
            if index is not None and name != index.results:
                (self.root / name).unlink(missing_ok=True)
        _remove_tree(self.work / "parts")
        _remove_tree(self.work / "previous")
        ready.rmdir()
        sync_folder(self.work)

    def check(self, on_exists: OnExists) -> None:
        """Say whether `open` would refuse this run now, without a change to the folder.

        Raises:
            OrchError: E304, as `open` does.
        """
        written = _read_run(self.work)
        if written is None or written.id != self.run.id:
            self._refuse(written, on_exists)

    def _refuse(self, written: Run | None, on_exists: OnExists) -> None:
        present = [name for name in _VISIBLE if (self.root / name).exists()]
        if on_exists == "overwrite":
            return
        if on_exists == "fail" and (present or written is not None):
            raise _results_exist(self.root, present)
        if written is None and present:
            raise _not_ours(self.root, present)
        if written is not None and written.identity != self.run.identity:
            raise _other_settings(self.root, written.identity, self.run.identity)

    def _enter(self, written: Run | None, on_exists: OnExists) -> None:
        self._refuse(written, on_exists)
        if on_exists == "overwrite":
            start_over(self.root)
        elif written is not None:
            self._retire_parts()
        self.work.mkdir(exist_ok=True)
        self._write_run()

    def _retire_parts(self) -> None:
        parts, previous = self.work / "parts", self.work / "previous"
        if not parts.exists():
            return
        previous.mkdir(exist_ok=True)
        taken = [int(path.name) for path in previous.iterdir()]
        parts.rename(previous / str(max(taken, default=0) + 1))
        sync_folder(previous)
        sync_folder(self.work)

    def _write_run(self) -> None:
        fields = {
            "id": self.run.id,
            "input": self.run.input,
            "identity": self.run.identity,
        }
        write_atomic(self.work / "run.json", (orjson.dumps(fields),))


def start_over(root: Path) -> None:
    """Remove all that runs have written to `root`, and nothing else."""
    for name in _VISIBLE:
        (root / name).unlink(missing_ok=True)
    _remove_tree(root / ".orch")


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _read_run(work: Path) -> Run | None:
    try:
        fields = orjson.loads((work / "run.json").read_bytes())
    except FileNotFoundError:
        return None
    return Run(fields["id"], fields["input"], fields["identity"])


_FIX = "set output.on_exists: overwrite, or choose another output.path"


def _results_exist(root: Path, present: list[str]) -> OrchError:
    what = ", ".join(present) or "the parts of an unfinished run"
    return OrchError.of(
        Code.WRONG_STATE,
        f"results exist already in '{root}' and output.on_exists is fail",
        facts=(f"there: {what}",),
        fix="set output.on_exists: resume or overwrite, or choose another output.path",
    )


def _not_ours(root: Path, present: list[str]) -> OrchError:
    return OrchError.of(
        Code.WRONG_STATE,
        f"'{root}' holds files that no run of orch has written",
        facts=(f"there: {', '.join(present)}",),
        fix=_FIX,
    )


def _other_settings(
    root: Path, before: Mapping[str, Any], now: Mapping[str, Any]
) -> OrchError:
    names = sorted({*before, *now})
    facts = tuple(
        _difference(name, before.get(name), now.get(name))
        for name in names
        if before.get(name) != now.get(name)
    )
    return OrchError.of(
        Code.WRONG_STATE,
        f"the results in '{root}' were made with other settings",
        facts=facts,
        fix=_FIX,
    )


def _difference(name: str, before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
        if name == "code":
            return f"code: {', '.join(keys)} changed"
        return "; ".join(
            _difference(f"{name}.{k}", before.get(k), now.get(k)) for k in keys
        )
    return f"{name}: {before!r} before, {now!r} now"
