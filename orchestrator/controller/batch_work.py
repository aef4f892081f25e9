"""A submitted job file as work: what is loaded, what it needs, what the runner does."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.controller.store import JobRow
from orchestrator.data.folder import OutputFolder, Run
from orchestrator.data.source import resolve_inputs
from orchestrator.engines.base import EngineSpec
from orchestrator.engines.sources import (
    check_weights,
    read_config,
    read_weight_headers,
    resolve_model,
)
from orchestrator.errors import Code, OrchError
from orchestrator.estimate.base import Estimate
from orchestrator.estimate.encoder import estimate_encoder
from orchestrator.estimate.unknown import estimate_unknown
from orchestrator.estimate.weights import weights_from_header
from orchestrator.runtime.runner_job import RunnerJob
from orchestrator.scheduling.available import smallest_room
from orchestrator.scheduling.demand import demand_of
from orchestrator.scheduling.plan import Demand, Placement
from orchestrator.scheduling.snapshot import DeviceKind, Snapshot
from orchestrator.spec.job import Job


@dataclass(frozen=True, slots=True)
class Work:
    """A job file, its folder, and the code beside it."""

    job: Job
    folder: Path
    path: str
    code: Mapping[str, bytes]

    @classmethod
    def from_request(cls, body: Mapping[str, Any]) -> Work:
        """The body of POST /v1/jobs.

        Raises:
            OrchError: E203, it is not such a body.
        """
        try:
            source = body["source"]
            _check_text(body["spec"], source)
            return cls(
                job=Job.model_validate(body["spec"]),
                folder=Path(source["folder"]),
                path=str(source["path"]),
                code={
                    name: base64.b64decode(text, validate=True)
                    for name, text in body["code"].items()
                },
            )
        except ValidationError as error:
            facts = tuple(
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
            )
            raise _bad_request("the job is not valid", facts) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _bad_request(f"the request is not understood: {error!r}") from error

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

    def engine_key(self, kind: DeviceKind) -> str:
        """Equal for jobs that the same loaded engine can serve."""
        model = self.job.model
        facts = {
            "model": model.model_dump(mode="json"),
            "params": self.job.params.model_dump(mode="json"),
            "revision": self.revision(),
            "memory": self.job.resources.gpu_memory,
            "kind": kind,
            "folder": str(self.folder) if _is_local(model.id, self.folder) else "",
            "fields": self.fields if model.entry else (),
            "code": self._code_hashes(),
        }
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check(self) -> None:
        """Look at the input and the model's files before anything is queued.

        Raises:
            OrchError: E103, E203 or E204, what is not there or not right.
        """
        model = self.job.model
        try:
            resolve_inputs(self.job.input, self.folder)
            if model.id is not None:
                source = resolve_model(model, self.folder)
                check_weights(source.path, allow_pickle=model.allow_pickle)
        except ValueError as error:
            # A zero byte, or what no file system can write.
            raise _bad_request(f"a path cannot be read so: {error}") from error

    def output_path(self) -> str:
        """The output folder; `{id}` is filled in when the job has one."""
        return self.job.output.path.replace("{name}", self.job.name)

    def check_output(self, output: str) -> None:
        """Look whether results may go there; a new folder always may.

        Raises:
            OrchError: E304, results are there and may not be used.
        """
        _check_writable(Path(output.partition("{id}")[0]))
        if "{id}" not in output:
            run = Run("", "", self.identity())
            OutputFolder(Path(output), run).check(self.job.output.on_exists)

    def demand(self, snapshot: Snapshot, peak_bytes: int | None) -> Demand:
        """What one replica asks for on this cluster.

        Args:
            snapshot: The cluster; its kind of GPU decides dtype and context.
            peak_bytes: The most this engine was ever seen to hold, if it ever ran.
        """
        self._check_exclude(snapshot)
        estimate = self._estimate(snapshot)
        measured = peak_bytes is not None and peak_bytes > estimate.total_bytes
        if peak_bytes is not None and measured:
            # Only upwards: a short job's small peak says nothing about a long one.
            extra = peak_bytes - estimate.total_bytes
            estimate = _with_more(estimate, extra)
        key = self.engine_key(snapshot.kind)
        return demand_of(estimate, self.job.resources, key, measured=measured)

    def engine_spec(self, placement: Placement) -> EngineSpec:
        """What the engine on this GPU is told."""
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
            folder=str(self.folder),
        )

    def identity(self) -> dict[str, Any]:
        """What must be equal for results of an earlier run to be reused."""
        model = self.job.model
        return {
            "model": self.model_label,
            "revision": self.revision(),
            "engine": model.engine_name,
            "dtype": model.dtype,
            "args": model.args,
            "params": self.job.params.model_dump(mode="json"),
            "fields": list(self.fields),
            "code": self._code_hashes(),
        }

    def revision(self) -> str:
        """The model's commit or version; empty where it has none."""
        if self.job.model.id is None:
            return ""
        return resolve_model(self.job.model, self.folder).revision

    def runner_job(self, row: JobRow, kind: DeviceKind, started_at: str) -> RunnerJob:
        """What the runner is told; `kind` is what its replicas run on."""
        return RunnerJob(
            id=row.id,
            run=row.request["run"],
            name=row.name,
            job=self.job,
            folder=str(self.folder),
            output=row.output,
            fields=self.fields,
            revision=self.revision(),
            dtype=_dtype(self.job.model.dtype, kind) if self.job.model.id else "",
            identity=self.identity(),
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

    def _code_hashes(self) -> dict[str, str]:
        return {
            name: hashlib.sha256(text).hexdigest()
            for name, text in sorted(self.code.items())
        }

    def _estimate(self, snapshot: Snapshot) -> Estimate:
        kind, wanted = snapshot.kind, self.job.resources
        if self.job.model.id is None:
            return estimate_unknown(kind, gpu_memory=wanted.gpu_memory)
        source = resolve_model(self.job.model, self.folder)
        header = {
            name: {"dtype": tensor.dtype, "shape": list(tensor.shape)}
            for name, tensor in read_weight_headers(source.path).items()
        }
        return estimate_encoder(
            read_config(source.path),
            weights_from_header(header),
            dtype=_dtype(self.job.model.dtype, kind),
            kind=kind,
            max_length=self.job.params.max_length,
            memory_bytes=smallest_room(snapshot, wanted.exclude),
            gpu_memory=wanted.gpu_memory,
            model=self.model_label,
        )


def _dtype(asked: str, kind: DeviceKind) -> str:
    if asked != "auto":
        return asked
    return "float16" if kind is DeviceKind.CUDA else "float32"


def _with_more(estimate: Estimate, extra_bytes: int) -> Estimate:
    return Estimate(
        estimate.weights_bytes,
        estimate.activation_bytes + extra_bytes,
        estimate.context_bytes,
        estimate.budget_tokens,
        whole=estimate.whole,
    )


def _check_writable(path: Path) -> None:
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


def _check_text(*parts: Any) -> None:  # noqa: ANN401 - it comes from outside
    """JSON can hold half characters, which no file name and no answer can."""
    try:
        json.dumps(parts, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _bad_request("the request holds text that is not Unicode") from error


def _bad_request(message: str, facts: tuple[str, ...] = ()) -> OrchError:
    return OrchError.of(Code.BAD_VALUE, message, facts=facts)
