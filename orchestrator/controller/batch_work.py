"""A batch job as work: what is loaded, what it needs, what the runner is told."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.controller.estimates import dtype_of, reckon
from orchestrator.controller.store import JobRow
from orchestrator.data.folder import OutputFolder, Run
from orchestrator.data.source import resolve_inputs
from orchestrator.engines.base import EngineSpec
from orchestrator.engines.model_files import ModelFiles, look_at
from orchestrator.engines.sources import is_on_hub
from orchestrator.engines.weight_files import check_weights
from orchestrator.errors import Code, OrchError
from orchestrator.estimate.known import Known
from orchestrator.runtime.runner_job import RunnerJob
from orchestrator.scheduling.demand import demand_of
from orchestrator.scheduling.plan import Demand, Placement
from orchestrator.scheduling.snapshot import DeviceKind, Snapshot
from orchestrator.spec.job import BatchJob


@dataclass(frozen=True, slots=True)
class BatchWork:
    """A job file of kind `batch`, its folder, and the code beside it.

    Attributes:
        job: The job file; a task's, if it is one of an array.
        folder: Where its relative paths start.
        code: The user's Python files, by path.
        env: Environment for the user's code.
        owner: Of a job with secrets its run: no other job is served by its engines.
    """

    job: BatchJob
    folder: Path
    code: Mapping[str, bytes]
    env: Mapping[str, str]
    owner: str = ""

    def look(self) -> ModelFiles | None:
        """Look at the model's files, if it has any. Takes a while; fetches from a hub.

        Raises:
            OrchError: E103, they are not there or not right.
        """
        model = self.job.model
        return None if model.id is None else look_at(model, self.folder)

    @property
    def fixed(self) -> bool:
        """Whether a model's files stay as they are: those of a hub's commit do."""
        model = self.job.model
        return model.id is None or is_on_hub(model.id, self.folder)

    def from_scratch(self) -> BatchWork:
        """The same, with no use for results that are there already."""
        output = self.job.output.model_copy(update={"on_exists": "overwrite"})
        return replace(self, job=self.job.model_copy(update={"output": output}))

    @property
    def model_label(self) -> str:
        """The model's name for people."""
        model = self.job.model
        return model.id or model.entry or ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The input fields that the model sees, in order."""
        given = self.job.input
        if self.job.model.engine_name == "torch" and given.fields:
            return given.fields
        return (given.text,)

    def engine_key(self, kind: DeviceKind, files: ModelFiles | None) -> str:
        """Equal for jobs that the same loaded engine can serve."""
        model = self.job.model
        facts = {
            "model": model.model_dump(mode="json"),
            "params": self.job.params.model_dump(mode="json"),
            "revision": _revision(files),
            "memory": self.job.resources.gpu_memory,
            "kind": kind,
            "folder": str(self._home) if _is_local(model.id, self.folder) else "",
            "fields": self.fields if model.entry else (),
            "code": self._code_hashes(),
            "env": dict(self.env),
            "owner": self.owner,
        }
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check(self) -> ModelFiles | None:
        """Look at the input and the model's files before anything is queued.

        Raises:
            OrchError: E103, E203 or E204, what is not there or not right.
        """
        model = self.job.model
        try:
            resolve_inputs(self.job.input, self.folder)
            files = self.look()
            if files is not None:
                check_weights(files.path, allow_pickle=model.allow_pickle)
        except ValueError as error:
            # A zero byte, or what no file system can write.
            raise OrchError.of(
                Code.BAD_VALUE, f"a path cannot be read so: {error}"
            ) from error
        return files

    def check_output(self, output: str, files: ModelFiles | None) -> None:
        """Look whether results may go there; a new folder always may.

        Raises:
            OrchError: E304, results are there and may not be used.
        """
        check_writable(Path(output.partition("{id}")[0]))
        if "{id}" not in output:
            run = Run("", "", self.identity(files))
            OutputFolder(Path(output), run).check(self.job.output.on_exists)

    def demand(
        self, snapshot: Snapshot, files: ModelFiles | None, known: Known
    ) -> Demand:
        """What one replica asks for on this cluster.

        Args:
            snapshot: The cluster; its kind of GPU decides dtype and context.
            files: The model's.
            known: What was seen of this engine.

        Raises:
            OrchError: E203, its memory cannot be told, or a GPU is not there.
        """
        self._check_exclude(snapshot)
        reckoned = reckon(self.job, files, snapshot, known)
        return demand_of(
            reckoned.estimate,
            self.job.resources,
            self.engine_key(snapshot.kind, files),
            shape=reckoned.shape,
            placement=self.job.placement,
            objective=self.job.objective,
        )

    def engine_spec(
        self,
        placement: Placement,
        budget: int = 0,
        secrets: Mapping[str, str] | None = None,
    ) -> EngineSpec:
        """What the engine on this GPU is told.

        Args:
            placement: Its GPU, and what it may hold of it.
            budget: The batch that this was reckoned for; 0: not known.
            secrets: By name; they are in its environment and not in its log.
        """
        gpu = placement.gpu
        return EngineSpec(
            name=self.job.model.engine_name,
            model=self.job.model,
            params=self.job.params,
            fields=self.fields,
            kind=gpu.kind,
            gpu=gpu.uuid,
            memory_bytes=placement.reserve_bytes,
            cores=max(1, gpu.cores),
            code=dict(self.code),
            folder=str(self._home),
            env={**self.env, **(secrets or {})},
            budget=budget,
        )

    def identity(self, files: ModelFiles | None) -> dict[str, Any]:
        """What must be equal for results of an earlier run to be reused."""
        model = self.job.model
        return {
            "model": self.model_label,
            "revision": _revision(files),
            "engine": model.engine_name,
            "dtype": model.dtype,
            "args": model.args,
            "params": self.job.params.model_dump(mode="json"),
            "fields": list(self.fields),
            "code": self._code_hashes(),
        }

    def runner_job(
        self,
        row: JobRow,
        run: str,
        files: ModelFiles | None,
        kind: DeviceKind,
        started_at: str,
    ) -> RunnerJob:
        """What the runner is told.

        Args:
            row: The job.
            run: Unique over all jobs of all time.
            files: The model's.
            kind: What its replicas run on.
            started_at: RFC 3339, UTC.
        """
        return RunnerJob(
            id=row.key.number,
            run=run,
            name=row.name,
            job=self.job,
            folder=str(self.folder),
            output=row.output,
            fields=self.fields,
            revision=_revision(files),
            dtype=dtype_of(self.job.model.dtype, kind) if files else "",
            identity=self.identity(files),
            started_at=started_at,
        )

    def _check_exclude(self, snapshot: Snapshot) -> None:
        known = [name for gpu in snapshot.gpus for name in (gpu.name, gpu.uuid)]
        for name in self.job.resources.exclude:
            if name not in known:
                raise OrchError.of(
                    Code.BAD_VALUE,
                    f"resources.exclude: there is no GPU '{name}' on this cluster",
                    facts=(f"there are: {', '.join(g.name for g in snapshot.gpus)}",),
                    fix="write it as `orch gpus` does, node:index, or as a UUID",
                )

    @property
    def _home(self) -> Path:
        """Where the user's code, or a local model, is for its engine."""
        workdir = self.job.workdir if self.job.model.entry else None
        return self.folder / Path(workdir or "").expanduser()

    def _code_hashes(self) -> dict[str, str]:
        return {
            name: hashlib.sha256(text).hexdigest()
            for name, text in sorted(self.code.items())
        }


def _revision(files: ModelFiles | None) -> str:
    """The model's commit or version; empty where it has none."""
    return files.revision if files else ""


def check_writable(path: Path) -> None:
    """E304 unless a folder can be made here: found out before a model is loaded."""
    parent = path
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return
    why = "may not be written to" if parent.is_dir() else "is a file, not a folder"
    raise OrchError.of(
        Code.WRONG_STATE,
        f"output.path: results cannot go to '{path}': '{parent}' {why}",
        fix="choose another output.path",
    )


def _is_local(model: str | None, folder: Path) -> bool:
    return model is None or (folder / model).exists()
