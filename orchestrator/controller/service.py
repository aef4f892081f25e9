"""What the API can ask of the controller. Called from API threads, never the loop's."""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Mapping, Set
from dataclasses import asdict
from typing import Any

from orchestrator.controller.core import Core, now
from orchestrator.controller.performer import Performer
from orchestrator.controller.placer import Placer, plan_for
from orchestrator.controller.recovery import recover
from orchestrator.controller.views import ActiveJob
from orchestrator.controller.work import Work
from orchestrator.errors import Code, OrchError
from orchestrator.lifecycle.messages import CancelRequested
from orchestrator.scheduling.diagnosis import diagnosis_fault
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.scheduling.snapshot import Gpu, Snapshot

TICK_S = 1.0


class Service:
    """The controller, as the API sees it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._perform = Performer(core, self._look)
        self._placer = Placer(core, self._perform)
        # First of all: who asks for a job must not find a queue that is empty yet.
        core.loop.post(lambda: recover(core, self._perform))

    def run(self) -> None:
        """Take up what an earlier controller left, then decide until stopped."""
        # Agents start now, so that their zygotes have torch when the first job comes.
        self._core.loop.effect(self._core.cluster.gpus, lambda _gpus: None)
        self._core.loop.post(self._perform.prepare)
        self._core.loop.post(self._look)
        self._core.loop.thread(self._tick_for_ever, "tick")
        self._core.loop.run()

    # --- questions ------------------------------------------------------------------

    def submit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Accept a job; when this returns, no crash loses it.

        Raises:
            OrchError: E101 if it can never fit, E103, E2xx, E304: nothing is queued.
        """
        work = Work.from_request(body)
        work.check()
        answer = self._plan(work)
        if isinstance(answer, Plan):
            _refuse_fakes(answer)
        if isinstance(answer, Diagnosis) and not answer.ever:
            raise OrchError((diagnosis_fault(answer),))
        output = work.output_path()
        work.check_output(output)
        request = {**body, "run": uuid.uuid4().hex}
        return self.view(
            self._core.loop.ask(lambda: self._accept(work, request, output))
        )

    def plan(self, body: Mapping[str, Any]) -> Plan | Diagnosis:
        """What would happen if this job were submitted now; nothing does.

        Raises:
            OrchError: E103, E2xx.
        """
        work = Work.from_request(body)
        work.check()
        return self._plan(work)

    def view(self, job: int) -> dict[str, Any]:
        """One job as JSON.

        Raises:
            OrchError: E301, there is none of that number.
        """
        active = self._core.jobs.get(job)
        if active is not None and active.view:
            return active.view
        row = self._core.store.job(job)
        if row is None or not row.view:
            raise OrchError.of(
                Code.NO_SUCH_JOB, f"there is no job {job}", fix="orch status -a"
            )
        return row.view

    def views(self, *, final: bool) -> list[dict[str, Any]]:
        """The newest jobs as JSON, newest first."""
        rows = self._core.store.jobs(final=final)
        # One without a view is not in the queue yet: its number was not told yet.
        return [self.view(row.id) for row in rows if row.view]

    def cancel(self, job: int, *, force: bool) -> dict[str, Any]:
        """Ask a job to end; a job that is over stays as it is.

        Raises:
            OrchError: E301.
        """
        self._core.loop.ask(lambda: self._cancel(job, CancelRequested(force)))
        return self.view(job)

    def gpus(self) -> dict[str, Any]:
        """Every GPU's report, read now, and what is promised on it."""
        snapshot = self._snapshot()
        keeps = self._core.loop.ask(self._keeps)
        return {
            "gpus": [asdict(gpu) for gpu in snapshot.gpus],
            "reservations": [
                {**asdict(promise), "keeps_seconds": keeps.get(promise.engine)}
                for promise in snapshot.reservations
            ],
        }

    def nodes(self) -> list[str]:
        """The names of the nodes that are alive."""
        return [node.name for node in self._core.cluster.nodes()]

    # --- inside ---------------------------------------------------------------------

    def _check_unused(self, output: str) -> None:
        for job in self._core.jobs.values():
            if job.row.output == output:
                raise OrchError.of(
                    Code.WRONG_STATE,
                    f"job {job.id} is writing to '{output}'",
                    fix=f"wait for it (orch wait {job.id}), or choose another"
                    " output.path",
                )

    def _plan(self, work: Work) -> Plan | Diagnosis:
        return plan_for(self._core.store, work, self._snapshot())

    def _snapshot(self) -> Snapshot:
        gpus = self._core.cluster.gpus()
        return self._core.loop.ask(lambda: self._core.fleet.snapshot(gpus))

    def _keeps(self) -> dict[str, float]:
        present = time.monotonic()
        return {
            engine.name: max(0.0, engine.idle_until - present)
            for engine in self._core.fleet.idle()
            if engine.idle_until is not None
        }

    def _cancel(self, job: int, wish: CancelRequested) -> None:
        active = self._core.jobs.get(job)
        if active is not None:
            self._perform(active, wish)

    def _accept(self, work: Work, request: dict[str, Any], output: str) -> int:
        # On the loop's thread: of two jobs for one folder, one is refused.
        self._check_unused(output)
        row = self._core.store.add_job(work.job.name, request, now(), output)
        job = ActiveJob(row, work)
        self._core.jobs[job.id] = job
        self._core.save(job)
        self._core.changed(job)
        self._look()
        return job.id

    def _look(self) -> None:
        self._placer.look()

    def _tick_for_ever(self) -> None:
        while not self._core.loop.stopped.wait(TICK_S):
            if self._core.jobs or self._core.fleet.engines or self._core.fleet.leaked:
                self._try_to_tick()

    def _try_to_tick(self) -> None:
        try:
            gpus = tuple(self._core.cluster.gpus())
            wanted = self._core.cluster.wanted()
            self._core.loop.ask(lambda: self._tick(gpus, wanted))
        except Exception:  # noqa: BLE001 - one that fails must not be the last
            traceback.print_exc()

    def _tick(self, gpus: tuple[Gpu, ...], wanted: Set[str]) -> None:
        fleet = self._core.fleet
        fleet.settle_leaks(gpus)
        going = [*fleet.expired(), *fleet.crowded(gpus), *fleet.claimed(wanted)]
        for engine in going:
            if not engine.leaving:
                self._perform.end(engine)
        self._look()


def _refuse_fakes(plan: Plan) -> None:
    fakes = [p.gpu.name for p in plan.placements if p.gpu.uuid.startswith("fake-")]
    if fakes:
        raise OrchError.of(
            Code.GPU_FAILED_TO_INITIALISE,
            f"{', '.join(fakes)}: these GPUs are only described by ORCH_FAKE_GPUS",
            fix="`orch plan` works with them; to run, `orch down`, unset it, submit",
        )
