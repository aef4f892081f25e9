"""What comes over HTTP as a job: checked, and turned into work."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from orchestrator.controller.batch_work import BatchWork
from orchestrator.controller.command_work import CommandWork
from orchestrator.controller.snapshots import Snapshots
from orchestrator.errors import Code, OrchError
from orchestrator.runtime.commands.spec import Snapshot
from orchestrator.spec.array import task_count, task_env, task_output, task_spec
from orchestrator.spec.job import BatchJob, Job, validate_job

Work: TypeAlias = BatchWork | CommandWork


@dataclass(frozen=True, slots=True)
class Request:
    """A job that somebody wants to run.

    Attributes:
        job: The job file.
        folder: Where its relative paths start.
        path: The file, for people.
        user: Who asks.
        code: Python files beside the job file, by path.
        env: Its environment, with what it takes from the caller's.
        secrets: By name. Not part of what is stored with the job.
        snapshot: Hash of the files that travel with it.
        now: It must start at once or not at all.
    """

    job: Job
    folder: Path
    path: str
    user: str
    code: Mapping[str, bytes]
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    snapshot: str | None
    now: bool

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Request:
        """The body of POST /v1/jobs, or what was stored of it.

        Raises:
            OrchError: E203, it is not such a body.
        """
        try:
            source = body["source"]
            check_text(body["spec"], source, body.get("env"), body.get("secrets"))
            return cls(
                job=validate_job(body["spec"]),
                folder=Path(source["folder"]),
                path=str(source["path"]),
                user=str(source.get("user") or ""),
                code=_decoded(body["code"]),
                env=_texts(body.get("env")),
                secrets=_texts(body.get("secrets")),
                snapshot=_text_or_none(body.get("snapshot")),
                now=_number_or_none(body.get("wait_start_s")) == 0,
            )
        except ValidationError as error:
            facts = tuple(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
            )
            raise _bad_request("the job is not valid", facts) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _bad_request(f"the request is not understood: {error!r}") from error

    @property
    def tasks(self) -> int:
        """How many tasks it has; 0 if it is no array."""
        return task_count(self.job)

    def output(self, task: int = -1) -> str:
        """The output folder; `{id}` is filled in when the job has one."""
        job = self.job
        path = job.output.path if task < 0 else task_output(job, task)
        return path.replace("{name}", job.name)

    def work(self, snapshots: Snapshots, task: int = -1) -> Work:
        """The job, or one task of it, as work.

        Raises:
            OrchError: E203, there is no such snapshot.
        """
        job = self.job if task < 0 else task_spec(self.job, task)
        env = self.env if task < 0 else task_env(self.job, task, self.env)
        if isinstance(job, BatchJob):
            return BatchWork(job, self.folder, self.code, env)
        return CommandWork(job, env, self._snapshot(snapshots))

    def _snapshot(self, snapshots: Snapshots) -> Snapshot | None:
        if self.snapshot is None:
            return None
        return Snapshot(self.snapshot, str(snapshots.path(self.snapshot)))


def _decoded(code: Mapping[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(text, validate=True) for name, text in code.items()}


def _texts(value: Any) -> dict[str, str]:  # noqa: ANN401 - it comes from outside
    texts = dict(value or {})
    if not all(isinstance(part, str) for pair in texts.items() for part in pair):
        raise TypeError("expected names and texts")
    if any(not name or "=" in name or "\0" in name + texts[name] for name in texts):
        raise ValueError("no environment can hold this")
    return texts


def _text_or_none(value: Any) -> str | None:  # noqa: ANN401
    if value is None or isinstance(value, str):
        return value
    raise TypeError("expected a text")


def _number_or_none(value: Any) -> float | None:  # noqa: ANN401
    if isinstance(value, bool) or not (value is None or isinstance(value, int | float)):
        raise TypeError("expected a number")
    return value


def check_text(*parts: Any) -> None:  # noqa: ANN401
    """JSON can hold half characters, which no file name and no answer can.

    Raises:
        OrchError: E203, these do.
    """
    try:
        json.dumps(parts, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _bad_request("the request holds text that is not Unicode") from error


def _bad_request(message: str, facts: tuple[str, ...] = ()) -> OrchError:
    return OrchError.of(Code.BAD_VALUE, message, facts=facts)
