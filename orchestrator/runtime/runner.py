"""The runner: a job's driver, an actor in a process of its own.

It reads the input, keeps every replica fed, writes parts and merges them. All it
needs to go on after a crash is on disk, so a new runner simply starts again.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from orchestrator.data.folder import OutputFolder, Run
from orchestrator.data.manifest import Manifest
from orchestrator.data.merge import MergeSummary, merge
from orchestrator.data.parts import in_order, read_part
from orchestrator.data.previous import Previous
from orchestrator.data.reader import Reader
from orchestrator.data.rows import Chunk
from orchestrator.data.source import (
    Source,
    count_rows,
    fingerprint,
    resolve_inputs,
    stamp,
)
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.runtime.gather import Gather
from orchestrator.runtime.progress import Progress, RunnerView
from orchestrator.runtime.replica import ChunkResult, Replica
from orchestrator.runtime.reuse import Parts, Reuse
from orchestrator.runtime.translate import translated
from orchestrator.spec.job import Job

if TYPE_CHECKING:
    from ray.actor import ActorProxy


@dataclass(frozen=True, slots=True)
class RunnerJob:
    """What a runner must know.

    Attributes:
        id: The job's number.
        run: Unique over all jobs of all time.
        name: The job's name.
        job: The job file.
        folder: Where its relative input paths start.
        output: Where the results go.
        fields: The input fields that the model sees.
        revision: Of the model, as it was resolved.
        dtype: Its weights run in; empty for the user's own module, which decides.
        identity: What must be equal for earlier results to be reused.
        started_at: RFC 3339, UTC.
    """

    id: int
    run: str
    name: str
    job: Job
    folder: str
    output: str
    fields: tuple[str, ...]
    revision: str
    dtype: str
    identity: Mapping[str, Any]
    started_at: str


class Runner:
    """Runs one job's rows. Made ahead of its job: starting a process takes a second."""

    def __init__(self) -> None:
        self._job: RunnerJob
        self._progress = Progress()
        self._replicas: list[_Port] = []
        self._lock = threading.Lock()
        self._gather: Gather | None = None
        self._stop: bool | None = None

    @ray.method
    def begin(self, job: RunnerJob) -> None:
        """Take this job and start; replicas are added after this call."""
        self._job = job
        self._progress.begin()
        threading.Thread(target=self._run, name="runner", daemon=True).start()

    @ray.method
    def add(self, replicas: Sequence[tuple[str, ActorProxy[Replica]]]) -> None:
        """Feed these replicas too."""
        given = self._job.job.input
        for name, handle in replicas:
            port = _Port(name, handle, self._job.fields, given.id_field)
            with self._lock:
                if any(known.name == name for known in self._replicas):
                    continue
                self._replicas.append(port)
                if self._gather is not None:
                    self._gather.add(port)

    @ray.method
    def watch(self, version: int, timeout_s: float) -> RunnerView:
        """How things stand, as soon as it is newer than `version`."""
        return self._progress.watch(version, timeout_s)

    @ray.method
    def stop(self, force: bool) -> None:  # noqa: FBT001 - Ray passes it by position
        """Come to rest; with `force` without waiting for chunks in flight."""
        with self._lock:
            self._stop = force
            if self._gather is not None:
                self._gather.stop(force=force)

    @ray.method
    def pid(self) -> int:
        """The runner's process."""
        return os.getpid()

    def _run(self) -> None:
        try:
            self._work()
        except OrchError as error:
            self._progress.update(phase="done", faults=error.faults)
        except Exception as error:  # noqa: BLE001 - it must reach the user
            fault = Fault(
                Code.BUG, f"the runner failed: {type(error).__name__}: {error}"
            )
            self._progress.update(phase="done", faults=(fault,))

    def _work(self) -> None:
        job, spec = self._job, self._job.job
        source = resolve_inputs(spec.input, Path(job.folder))
        run = Run(job.run, stamp(source), job.identity)
        folder = OutputFolder.open(Path(job.output), run, spec.output.on_exists)
        if folder.finished is not None:
            # An earlier runner of this job died after its last step.
            self._report(folder.finished, folder)
            return
        threading.Thread(target=self._count, args=(source,), daemon=True).start()
        store = folder.parts()
        reuse = Reuse(Previous.open(folder.work), job.fields, spec.input.id_field)
        parts = Parts(store, reuse)
        self._resume(store.paths())
        wanted = (*job.fields, *([spec.input.id_field] if spec.input.id_field else []))
        reader = Reader(source, wanted, store.done_ranges())
        timings = _Timings(folder.work / "timings.jsonl")
        gather = Gather(
            reader, _Timed(parts, timings), reuse, self._progress, spec.batch.in_flight
        )
        with ThreadPoolExecutor(1, thread_name_prefix="merge") as pool:
            merging = pool.submit(
                merge,
                in_order(parts.paths()),
                folder.next,
                spec.output.format,
                run=job.run,
            )
            try:
                stopped = self._feed(gather)
            finally:
                parts.end()
            if stopped:
                self._progress.update(phase="done", stopped=True)
                return
            self._progress.update(phase="merging")
            summary = merging.result()
        manifest = self._manifest(source, summary)
        folder.commit(manifest)
        self._report(manifest, folder)

    def _feed(self, gather: Gather) -> bool:
        with self._lock:
            self._gather = gather
            for port in self._replicas:
                gather.add(port)
            if self._stop is not None:
                gather.stop(force=self._stop)
        return gather.run()

    def _count(self, source: Source) -> None:
        self._progress.update(rows_total=count_rows(source))

    def _resume(self, paths: Sequence[Path]) -> None:
        read = [read_part(path) for path in paths]
        self._progress.resumed(
            sum(part.rows for part in read), sum(len(part.failures) for part in read)
        )

    def _manifest(self, source: Source, summary: MergeSummary) -> Manifest:
        job, spec = self._job, self._job.job
        return Manifest(
            job_id=job.id,
            job_name=job.name,
            model=spec.model.id or spec.model.entry or "",
            revision=job.revision or None,
            dtype=job.dtype or spec.model.dtype,
            params=spec.params.model_dump(mode="json"),
            input_fingerprint=fingerprint(source),
            input_files=tuple(str(path) for path in source.files),
            rows_ok=summary.ok,
            rows_failed=summary.failed,
            rows_reused=self._progress.view.rows_reused,
            versions=_versions(),
            seed=0,
            started_at=job.started_at,
            finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            identity=job.identity,
        )

    def _report(self, manifest: Manifest, folder: OutputFolder) -> None:
        rows = manifest.rows_ok + manifest.rows_failed
        limit = self._job.job.batch.failed_limit(rows)
        faults: tuple[Fault, ...] = ()
        if manifest.rows_failed > limit:
            faults = (_too_many(manifest, rows, folder.root),)
        self._progress.update(
            phase="done",
            rows_total=rows,
            rows_done=rows,
            rows_failed=manifest.rows_failed,
            results=str(folder.root / f"results.{self._job.job.output.format}"),
            faults=faults,
        )


RunnerActor = ray.remote(Runner)


class _Port:
    """A replica's actor as the gather loop's port."""

    def __init__(
        self,
        name: str,
        handle: ActorProxy[Replica],
        fields: tuple[str, ...],
        id_field: str | None,
    ) -> None:
        self.name = name
        self._handle = handle
        self._fields = fields
        self._id_field = id_field

    def run(self, chunk: Chunk) -> Future[ChunkResult]:
        """Start one chunk."""
        answer: Future[ChunkResult] = Future()
        ref = self._handle.run.remote(chunk, self._fields, self._id_field)
        ref.future().add_done_callback(lambda done: _pass_on(done, answer))
        return answer


def _pass_on(done: Future[ChunkResult], answer: Future[ChunkResult]) -> None:
    try:
        with translated(Code.GPU_LOST, "the replica was lost"):
            answer.set_result(done.result())
    except OrchError as error:
        answer.set_exception(error)


@dataclass(slots=True)
class _Timings:
    """When each chunk was on disk: seconds since the first one was begun."""

    path: Path
    started: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, rows: int) -> None:
        """One more chunk."""
        line = json.dumps({"t": time.monotonic() - self.started, "rows": rows})
        with self.lock, self.path.open("a") as file:
            file.write(line + "\n")


@dataclass(frozen=True, slots=True)
class _Timed:
    """Writes parts and notes when."""

    parts: Parts
    timings: _Timings

    def write(self, chunk: Chunk, result: ChunkResult | None) -> None:
        """Put one part on disk, durably."""
        self.parts.write(chunk, result)
        self.timings.note(chunk.rows - len(chunk.skip))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("orch", "ray", "torch", "transformers"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _too_many(manifest: Manifest, rows: int, root: Path) -> Fault:
    return Fault(
        Code.TOO_MANY_FAILED_ROWS,
        f"{manifest.rows_failed} of {rows} rows failed, more than batch.max_failed",
        facts=(f"each with its reason: {root / 'failed.jsonl'}",),
        fix="mend these rows and submit again: only they run, the others are kept",
    )
