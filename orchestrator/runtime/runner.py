"""The runner: a job's driver, an actor in a process of its own.

It reads the input, keeps every replica fed, writes parts and merges them. All it
needs to go on after a crash is on disk, so a new runner simply starts again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from orchestrator.data.folder import OutputFolder, Run
from orchestrator.data.manifest import Manifest
from orchestrator.data.merge import merge
from orchestrator.data.parts import in_order, read_part
from orchestrator.data.previous import Previous
from orchestrator.data.reader import Reader
from orchestrator.data.source import (
    Source,
    count_rows,
    resolve_inputs,
    stamp,
)
from orchestrator.errors import Code, Fault, OrchError
from orchestrator.runtime.actor_port import ActorPort
from orchestrator.runtime.gather import Gather
from orchestrator.runtime.progress import Progress, RunnerView
from orchestrator.runtime.replica import Replica
from orchestrator.runtime.reuse import Parts, Reuse
from orchestrator.runtime.runner_job import (
    RunnerJob,
    changed,
    manifest_of,
    too_many_failed,
)
from orchestrator.runtime.timings import TimedParts, Timings

if TYPE_CHECKING:
    from ray.actor import ActorProxy


class Runner:
    """Runs one job's rows. Made ahead of its job: starting a process takes a second."""

    def __init__(self) -> None:
        self._job: RunnerJob
        self._progress = Progress()
        self._replicas: list[ActorPort] = []
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
            port = ActorPort(name, handle, self._job.fields, given.id_field)
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
        except OSError as error:
            self._progress.update(phase="done", faults=(_disk_fault(error),))
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
        timings = Timings(folder.work / "timings.jsonl")
        gather = Gather(
            reader,
            TimedParts(parts, timings),
            reuse,
            self._progress,
            spec.batch.in_flight,
        )
        with ThreadPoolExecutor(1, thread_name_prefix="merge") as pool:
            merging = pool.submit(
                merge,
                in_order(parts.paths()),
                folder.next,
                spec.output.format,
                run=job.run,
            )
            merging.add_done_callback(
                lambda done: gather.stop(force=True) if done.exception() else None
            )
            try:
                stopped = self._feed(gather)
                # It cannot be through before the end: it has failed.
                broken = merging.done()
            finally:
                parts.end()
            if stopped and not broken:
                self._progress.update(phase="done", stopped=True)
                return
            self._progress.update(phase="merging")
            summary = merging.result()
        if changed(source, run.input):
            self._progress.notice("the input was changed while the job read it")
        reused = self._progress.view.rows_reused
        manifest = manifest_of(job, source, summary, reused)
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
        # Without the total the job goes on; the reader says what is wrong.
        with suppress(OrchError, OSError):
            self._progress.update(rows_total=count_rows(source))

    def _resume(self, paths: Sequence[Path]) -> None:
        read = [read_part(path) for path in paths]
        self._progress.resumed(
            sum(part.rows for part in read), sum(len(part.failures) for part in read)
        )

    def _report(self, manifest: Manifest, folder: OutputFolder) -> None:
        rows = manifest.rows_ok + manifest.rows_failed
        self._progress.update(
            phase="done",
            rows_total=rows,
            rows_done=rows,
            rows_failed=manifest.rows_failed,
            results=str(folder.root / f"results.{self._job.job.output.format}"),
            faults=too_many_failed(self._job, manifest),
        )


RunnerActor = ray.remote(Runner)


def _disk_fault(error: OSError) -> Fault:
    return Fault(
        Code.WRONG_STATE,
        f"'{error.filename}' cannot be read or written: {error.strerror}",
        fix="free space or mend the permissions, and submit again: finished rows are"
        " kept",
    )
