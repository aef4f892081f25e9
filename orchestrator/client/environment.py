"""The values of `env` and `secrets`, from the environment where a job is submitted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.checked import CheckedJob


def environment(job: CheckedJob) -> tuple[dict[str, str], dict[str, str]]:
    """The variables of a job and its secrets, with the values they have here.

    Returns:
        `env` without what is secret, and the secrets.

    Raises:
        OrchError: All at once: E202 for what must come from this environment and is
            not set in it, E203 for values that are no UTF-8 text.
    """
    given: dict[str, str | None] = job.spec["env"]
    secrets: list[str] = job.spec["secrets"]
    values = {
        name: os.environ.get(name) if value is None else value
        for name, value in [*given.items(), *((name, None) for name in secrets)]
    }
    found = {name: value for name, value in values.items() if value is not None}
    faults = [*_not_set(job, values.keys() - found.keys()), *_no_texts(job, found)]
    if faults:
        raise OrchError(tuple(faults))
    return (
        {name: value for name, value in found.items() if name not in secrets},
        {name: found[name] for name in secrets},
    )


def _not_set(job: CheckedJob, names: Iterable[str]) -> Iterator[Fault]:
    for name in sorted(names):
        # The value of a secret does not belong on a command line.
        other = "" if name in job.spec["secrets"] else f", or --env {name}=VALUE"
        yield Fault(
            Code.MISSING_FIELD,
            f"the job needs {name} from your environment, and it is not set",
            fix=f"export {name}=...{other}",
            at=_place(job, name),
        )


def _no_texts(job: CheckedJob, values: dict[str, str]) -> Iterator[Fault]:
    for name, value in sorted(values.items()):
        if not _is_text(value):
            message = f"the value of {name} is not UTF-8 text"
            yield Fault(Code.BAD_VALUE, message, at=_place(job, name))


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _place(job: CheckedJob, name: str) -> str:
    """`FILE:line` of the only line that names it in its section, else the file."""
    section = "env" if name in job.spec["env"] else "secrets"
    lines = [
        number
        for number, line in _section(job.text, section)
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", line)
    ]
    return f"{job.path}:{lines[0]}" if len(lines) == 1 else str(job.path)


def _section(text: str, section: str) -> Iterator[tuple[int, str]]:
    """The lines of a section of the file's top level, or of each job in it."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line[:1] not in ("", " ", "\t", "#", "-", "}", "]"):
            inside = line.startswith(f"{section}:")
        if inside:
            yield number, re.sub(r"(^|\s)#.*", "", line)
