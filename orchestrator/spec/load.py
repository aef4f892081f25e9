"""A job file -> a checked job, or all of its mistakes at once."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.document import START, Document
from orchestrator.spec.files import check_files
from orchestrator.spec.job import Job, job_class, validate_job
from orchestrator.spec.loaded import LoadedJob
from orchestrator.spec.override import apply_overrides
from orchestrator.spec.reader import read_documents
from orchestrator.spec.source import Source, Span
from orchestrator.spec.suggest import did_you_mean
from orchestrator.spec.syntax import unreadable
from orchestrator.spec.translate import add_faults
from orchestrator.spec.words import plain

__all__ = [
    "LoadedJob",
    "check_files",
    "load_job",
    "load_job_text",
    "load_jobs",
    "load_jobs_text",
]

MAX_BYTES = 1 << 20


def load_job(path: Path, overrides: Sequence[str] = ()) -> LoadedJob:
    """The job in a file that holds one.

    Args:
        path: A job file.
        overrides: `a.b=c` strings; they replace what the file says.

    Raises:
        OrchError: Every mistake there is, as E201 to E205.
    """
    text = _decode(path, _read(path))
    return load_job_text(text, str(path), folder=path.parent, overrides=overrides)


def load_jobs(path: Path, overrides: Sequence[str] = ()) -> list[LoadedJob]:
    """The jobs in a file: one, or several with `---` between them.

    Args:
        path: A job file.
        overrides: `a.b=c` strings; they replace what the file says, in every job.

    Raises:
        OrchError: Every mistake there is, as E201 to E205.
    """
    text = _decode(path, _read(path))
    return load_jobs_text(text, str(path), folder=path.parent, overrides=overrides)


def load_job_text(
    text: str,
    name: str,
    *,
    folder: Path = Path(),
    overrides: Sequence[str] = (),
) -> LoadedJob:
    """The job in a text that was read already, from a pipe, say.

    Args:
        text: A job file's text.
        name: What to call it in messages; its stem is the job's name by default.
        folder: Where the job's relative paths start.
        overrides: `a.b=c` strings; they replace what the text says.

    Raises:
        OrchError: Every mistake there is, as E201 to E205.
    """
    text = text.removeprefix("\ufeff")
    documents = _documents(text, name)
    if len(documents) > 1:
        more = documents[1]
        message = f"a second job starts here, of {len(documents)}; expected only one"
        span = more.places[()].value
        more.add(Code.BAD_VALUE, message, span, "Put each of them into its own file.")
        raise OrchError(more.sorted_faults())
    return _load(documents, text, Path(name), folder, overrides)[0]


def load_jobs_text(
    text: str,
    name: str,
    *,
    folder: Path = Path(),
    overrides: Sequence[str] = (),
) -> list[LoadedJob]:
    """The jobs in a text; as `load_job_text`, but there may be several."""
    text = text.removeprefix("\ufeff")
    documents = _documents(text, name)
    return _load(documents, text, Path(name), folder, overrides)


def default_name(name: str) -> str:
    """A job's name from that of its file: what a name may not hold becomes `-`."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).stem)
    return stem.strip("-._")[:63] or "job"


def _documents(text: str, name: str) -> list[Document]:
    """What is in the text, unchecked; at least one document."""
    source = Source.of(name, text)
    if len(text) > MAX_BYTES:
        raise OrchError((unreadable(source, START, _TOO_LARGE),))
    documents = read_documents(source, text)
    if not documents:
        raise OrchError((unreadable(source, START, "the file is empty"),))
    return documents


def _load(
    documents: Sequence[Document],
    text: str,
    path: Path,
    folder: Path,
    overrides: Sequence[str],
) -> list[LoadedJob]:
    """The jobs of the documents, or the mistakes of all of them."""
    jobs: list[LoadedJob] = []
    faults: dict[Fault, None] = {}
    for position, document in enumerate(documents):
        name = default_name(str(path))
        if len(documents) > 1:
            name = f"{name[:58]}-{position + 1}"
        try:
            _need_section(document)
            apply_overrides(document, overrides)
            job = _validate(document, name)
            loaded = LoadedJob(job, text, path, folder, tuple(overrides), position)
            jobs.append(loaded)
            faults |= dict.fromkeys(check_files(loaded))
        except OrchError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise OrchError(tuple(faults))
    return jobs


_TOO_LARGE = "larger than 1 MiB; a job file names its data, it does not hold it"


def _validate(document: Document, name: str) -> Job:
    assert isinstance(document.data, dict)
    data = {"name": name, **document.data}
    try:
        job = validate_job(data)
    except ValidationError as error:
        root = job_class(document.data)
        add_faults(document, error.errors(include_url=False), root)
        raise OrchError(document.sorted_faults()) from None
    if document.faults:
        raise OrchError(document.sorted_faults())
    return job


def _need_section(document: Document) -> None:
    """A document is a mapping from here on, or refused."""
    if isinstance(document.data, dict):
        return
    found = "a list" if isinstance(document.data, list) else "only a value"
    message = f"expected lines of 'key: value', found {found}"
    fault = unreadable(document.source, document.value_span(()), message)
    raise OrchError((fault,))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise OrchError((_no_such_file(path),)) from None
    except IsADirectoryError:
        message = f"'{plain(str(path))}' is a folder, not a job file"
        raise OrchError((Fault(Code.UNREADABLE_YAML, message),)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"'{plain(str(path))}' cannot be read: {reason.lower()}"
        raise OrchError((Fault(Code.UNREADABLE_YAML, message),)) from None


def _no_such_file(path: Path) -> Fault:
    try:
        near = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        near = []
    jobs = [name for name in near if name.endswith((".yaml", ".yml"))]
    message = f"there is no file '{plain(str(path))}'{did_you_mean(path.name, jobs)}"
    fix = f"Job files here: {', '.join(sorted(jobs)[:5])}" if jobs else ""
    return Fault(Code.FILE_NOT_FOUND, message, fix=fix)


def _decode(path: Path, data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise OrchError((Fault(Code.UNREADABLE_YAML, _TOO_LARGE, at=str(path)),))
    data = data.removeprefix(BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        source = Source.of(str(path), before)
        line, column = len(source.lines), len(source.lines[-1]) + 1
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        hint = "; it looks like UTF-16, save it as UTF-8" if wide else ""
        message = f"byte 0x{data[error.start]:02x} is not UTF-8 text{hint}"
        fault = unreadable(source, Span(line, column, column), message)
        raise OrchError((fault,)) from None
