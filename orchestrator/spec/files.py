"""Do the files that a job file names exist? Asked before anything is queued."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from glob import has_magic, iglob
from pathlib import Path
from typing import TypeAlias

from orchestrator.errors import Code, Fault
from orchestrator.spec.array import task_count, task_values
from orchestrator.spec.document import Loc
from orchestrator.spec.job import BatchJob, Job
from orchestrator.spec.loaded import LoadedJob
from orchestrator.spec.placeholders import fill, placeholders
from orchestrator.spec.reread import reread
from orchestrator.spec.suggest import did_you_mean
from orchestrator.spec.words import path_text, plain

Missing: TypeAlias = tuple[Loc, str, str]
"""Where a file is named, what is wrong, and what to do."""


def check_files(loaded: LoadedJob) -> list[Fault]:
    """An E204 for every file the job names that is not there, with its place.

    Looked for: the input, the module of `entry` in the `workdir`, a model that is
    written as a folder, and the `workdir`. Hub ids and packages are not looked up.
    """
    missing = [*_of_batch(loaded), *_workdir(loaded)]
    if not missing:
        return []
    document = reread(loaded)
    for loc, message, fix in missing:
        document.add(Code.FILE_NOT_FOUND, message, document.value_span(loc), fix)
    return list(document.sorted_faults())


def is_folder_name(model: str) -> bool:
    """Whether a model's id can only be a folder, not a hub's `org/name`."""
    if model.startswith("package:"):
        return False
    return model.startswith((".", "/", "~", "\\")) or model.strip("/").count("/") > 1


def _of_batch(loaded: LoadedJob) -> Iterator[Missing]:
    job = loaded.job
    if isinstance(job, BatchJob):
        yield from _input(loaded, job)
        yield from _entry(loaded, job)
        yield from _model(loaded, job)


def _input(loaded: LoadedJob, job: BatchJob) -> Iterator[Missing]:
    loc = ("input", "path")
    for written in _each(job, job.input.path):
        path = _resolved(loaded.folder, written)
        if _is_file(path):
            continue
        name = f"{path_text(loc)} '{plain(written)}'"
        if _is_dir(path):
            fix = f"Name its files: {plain(written.rstrip('/'))}/*.jsonl"
            yield loc, f"{name} is a folder", fix
        elif not has_magic(written):
            yield loc, f"{name} does not exist{_similar(path)}", _looked_in(path)
        elif not _matches(loaded.folder, written):
            yield loc, f"{name} matches no file", _looked_in(path)


def _entry(loaded: LoadedJob, job: BatchJob) -> Iterator[Missing]:
    if job.model.entry is None:
        return
    module = job.model.entry.partition(":")[0]
    workdir = _resolved(loaded.folder, job.workdir or "")
    stem = workdir.joinpath(*module.split("."))
    path = stem.with_name(f"{stem.name}.py")
    # A workdir that is not there is told of by itself.
    if _is_dir(workdir) and not _is_file(path) and not _is_file(stem / "__init__.py"):
        name = f"{path_text(('model', 'entry'))} '{plain(job.model.entry)}'"
        shown = path.relative_to(workdir)
        where = f"in '{plain(job.workdir)}'" if job.workdir else "beside the job file"
        message = f"{name} needs {shown} {where}, and there is none"
        yield ("model", "entry"), message + _similar(path), _looked_in(path)


def _model(loaded: LoadedJob, job: BatchJob) -> Iterator[Missing]:
    for model in _each(job, job.model.id or ""):
        if is_folder_name(model):
            yield from _folder(loaded, ("model", "id"), model)


def _workdir(loaded: LoadedJob) -> Iterator[Missing]:
    for written in _each(loaded.job, loaded.job.workdir or ""):
        yield from _folder(loaded, ("workdir",), written)


def _folder(loaded: LoadedJob, loc: Loc, written: str) -> Iterator[Missing]:
    path = _resolved(loaded.folder, written)
    if not _is_dir(path):
        what = "is a file, not a folder" if _is_file(path) else "does not exist"
        name = f"{path_text(loc)} '{plain(written)}'"
        yield loc, f"{name} {what}{_similar(path)}", _looked_in(path)


def _each(job: Job, written: str) -> Iterable[str]:
    """A name as each of the job's tasks has it; the same one only once."""
    if not placeholders(written):
        return (written,)
    tasks = (task_values(job, index) for index in range(task_count(job)))
    return dict.fromkeys(fill(written, values) for values in tasks)


def _resolved(folder: Path, written: str) -> Path:
    # There may be no such user as in `~user/x`.
    with suppress(RuntimeError):
        return folder / Path(written).expanduser()
    return folder / written


def _matches(folder: Path, pattern: str) -> bool:
    # Path.glob takes neither absolute patterns nor `a**`.
    wanted = str(_resolved(Path(), pattern))
    found = iglob(wanted, root_dir=folder, recursive=True)  # noqa: PTH207
    return any(_is_file(folder / name) for name in found)


def _is_file(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.is_file()
    return False


def _is_dir(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False


def _looked_in(path: Path) -> str:
    """Where a relative path leads: the nearest folder that is there."""
    folder = next((parent for parent in path.parents if _is_dir(parent)), path.parent)
    return f"Looked in {folder.absolute()}; relative paths start at the job file."


def _similar(path: Path) -> str:
    """A hint at a neighbour with nearly that name."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(path.name, [name for name in names if name != path.name])
