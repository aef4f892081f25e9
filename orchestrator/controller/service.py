"""What the API can ask of the controller. Called from API threads, never the loop's."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Set
from dataclasses import asdict
from functools import partial
from typing import Any

from orchestrator.controller.admission import Admission, Checked
from orchestrator.controller.asked import Listing
from orchestrator.controller.core import Core
from orchestrator.controller.figures import figures
from orchestrator.controller.logs import Logs
from orchestrator.controller.performer import Performer
from orchestrator.controller.placer import Placer
from orchestrator.controller.recovery import recover
from orchestrator.controller.shown import Shown
from orchestrator.controller.snapshots import Snapshots
from orchestrator.controller.wishes import Wishes
from orchestrator.lifecycle.events import CancelRequested, RetryMode
from orchestrator.lifecycle.key import JobKey
from orchestrator.runtime.metrics import UPDATE_S, Figures
from orchestrator.runtime.node_agents import NodeRoom
from orchestrator.scheduling.plan import Diagnosis, Plan
from orchestrator.scheduling.snapshot import Gpu, Snapshot

TICK_S = 1.0


class Service:
    """The controller, as the API sees it."""

    def __init__(
        self, core: Core, publish: Callable[[Figures], None] = lambda _figures: None
    ) -> None:
        """Serve this state.

        Args:
            core: The controller's state.
            publish: Gets the figures for the metrics every few seconds.
        """
        self._core = core
        self._publish = publish
        self._published = 0.0
        self._perform = Performer(core, self._look_soon)
        self._will_look = False
        self._placer = Placer(core, self._perform, self._perform.give_up)
        self._admission = Admission(core, self._perform, self._snapshot)
        self._wishes = Wishes(core, self._perform)
        self.shown = Shown(core)
        self.logs = Logs(core)
        # First of all: who asks for a job must not find a queue that is empty yet.
        core.loop.post(lambda: recover(core, self._perform))

    def run(self) -> None:
        """Take up what an earlier controller left, then decide until stopped."""
        # Agents start now, so that their zygotes have torch when the first job comes.
        self._core.loop.thread(self._tick_for_ever, "tick")
        self._core.loop.effect(self._drop_snapshots, lambda _dropped: None)
        self._core.loop.post(self._perform.runners.prepare)
        self._core.loop.post(self._look)
        self._core.loop.run()

    # --- jobs -------------------------------------------------------------------------

    def submit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Accept a job; when this returns, no crash loses it.

        Raises:
            OrchError: E101 if it can never fit, E103, E2xx, E30x: nothing is queued.
        """
        checked = self._admission.check(body)
        key = self._core.loop.ask(lambda: self._accept(checked))
        return self.shown.job(key)

    def plan(self, body: Mapping[str, Any]) -> Plan | Diagnosis:
        """What would happen if this job were submitted now; nothing does.

        Raises:
            OrchError: E103, E2xx.
        """
        idle = bool(body.get("assume_idle"))
        return self._admission.plan(self._admission.look(body), assume_idle=idle)

    def cancel(self, key: JobKey, wish: CancelRequested) -> dict[str, Any]:
        """Ask a job, or all tasks of an array, to end; what is over stays as it is.

        Raises:
            OrchError: E301.
        """
        self._core.loop.ask(lambda: self._wishes.cancel(key, wish))
        return self.shown.job(key)

    def retry(self, key: JobKey, mode: RetryMode) -> dict[str, Any]:
        """Give a job that is over another attempt; of an array its failed tasks.

        Raises:
            OrchError: E301; E304, it is not over.
        """
        tasks = self._core.loop.ask(lambda: self._wishes.failed_tasks(key))
        # One decision each: others are decided upon in between.
        for each in tasks or [key]:
            self._core.loop.ask(partial(self._wishes.retry, each, mode))
        return self.shown.job(key)

    def job(self, key: JobKey) -> dict[str, Any]:
        """One job as JSON.

        Raises:
            OrchError: E301.
        """
        return self.shown.job(key)

    def jobs(self, asked: Listing) -> dict[str, Any]:
        """Whole jobs, and how many there are in each state."""
        return self.shown.jobs(asked)

    def tasks(self, key: JobKey, asked: Listing, offset: int) -> dict[str, Any]:
        """Tasks of an array.

        Raises:
            OrchError: E301.
        """
        self.shown.job(key)
        return self.shown.tasks(key.number, asked, offset)

    def story(self, key: JobKey) -> list[dict[str, Any]]:
        """What happened to a job.

        Raises:
            OrchError: E301.
        """
        return self.shown.story(key)

    def usage(self, since: str) -> list[dict[str, Any]]:
        """The GPUs that jobs held since then."""
        return self.shown.usage(since)

    @property
    def snapshots(self) -> Snapshots:
        """The files that travel with jobs."""
        return self._core.snapshots

    # --- the cluster ------------------------------------------------------------------

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

    # --- inside -----------------------------------------------------------------------

    def _accept(self, checked: Checked) -> JobKey:
        key = self._admission.accept(checked)
        self._look()
        return key

    def _drop_snapshots(self) -> int:
        """Files that were sent for jobs that never came."""
        return self._core.snapshots.drop_unused(self._core.store.snapshots())

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

    def _look_soon(self) -> None:
        """Once for all that ends in one decision: much may, and a look is dear."""
        if not self._will_look:
            self._will_look = True
            self._core.loop.post(self._look)

    def _look(self) -> None:
        self._will_look = False
        self._perform.seats.look()
        self._placer.look()

    def _tick_for_ever(self) -> None:
        self._try_to_tick()
        while not self._core.loop.stopped.wait(TICK_S):
            self._try_to_tick()

    def _try_to_tick(self) -> None:
        try:
            cluster = self._core.cluster
            gpus, rooms = cluster.look()
            wanted = cluster.wanted()
            self._core.loop.ask(lambda: self._tick(tuple(gpus), tuple(rooms), wanted))
            self._publish_figures(tuple(gpus))
        except Exception:  # noqa: BLE001 - one that fails must not be the last
            traceback.print_exc()

    def _publish_figures(self, gpus: tuple[Gpu, ...]) -> None:
        if time.monotonic() - self._published >= UPDATE_S:
            self._published = time.monotonic()
            self._publish(self._core.loop.ask(lambda: figures(self._core, gpus)))

    def _tick(
        self, gpus: tuple[Gpu, ...], rooms: tuple[NodeRoom, ...], wanted: Set[str]
    ) -> None:
        core, fleet = self._core, self._core.fleet
        core.rooms = rooms
        fleet.settle_leaks(gpus)
        going = [*fleet.expired(), *fleet.crowded(gpus), *fleet.claimed(wanted)]
        for engine in going:
            if not engine.leaving:
                self._perform.replicas.end(engine)
        self._perform.save_again()
        self._perform.runners.refresh()
        self._look()
