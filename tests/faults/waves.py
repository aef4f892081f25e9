"""Runs side by side in waves, the head looked over after each; reports as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.faults.census import Census
from tests.faults.checks import unwitnessed, violations
from tests.faults.head import Head
from tests.faults.kills import Kill
from tests.faults.quiet import leftovers
from tests.faults.run import Outcome, Run

ABREAST = 5
"""Runs at a time. Each has its own load and its own kills; they share controller,
agent and GPUs, so what one kills hits the others as well."""


@dataclass
class Waves:
    """All runs on a head, and what came of them."""

    head: Head
    census: Census
    history: list[Kill] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    unwitnessed: int = 0
    """Commands run again, as nobody was left who knew of their end."""

    def play(self, seeds: Sequence[int]) -> tuple[list[str], list[str]]:
        """One wave.

        Returns:
            A line a run, and a paragraph for each promise that was not kept.
        """
        runs = [Run(self.head, seed, self.history) for seed in seeds]
        with ThreadPoolExecutor(len(runs)) as pool:
            outcomes = list(pool.map(Run.play, runs))
        self.outcomes += outcomes
        broken: list[str] = []
        for outcome in outcomes:
            self.unwitnessed += unwitnessed(outcome)
            broken += [self._told(outcome, wrong) for wrong in violations(outcome)]
        left = leftovers(self.head, self.census)
        broken += [f"after seeds {list(seeds)}: {each}" for each in left]
        return [line(outcome) for outcome in outcomes], broken

    def killed(self) -> Counter[str]:
        """How often each kind was killed."""
        return Counter(kill.who for kill in self.history)

    def missed(self) -> int:
        """Kills that were drawn and found no victim."""
        drawn = [kill for outcome in self.outcomes for kill in outcome.drawn]
        return sum(not kill.pid for kill in drawn)

    def _told(self, outcome: Outcome, wrong: str) -> str:
        """What is wrong, with the kills and the stories of the run's jobs."""
        kills = ", ".join(
            f"{kill} pid {kill.pid} at {kill.at:.3f}" for kill in outcome.kills
        )
        told = [f"seed {outcome.seed}: {wrong}", f"  kills: {kills}"]
        with self.head.client() as client:
            for key in outcome.views:
                if f" {key}" not in wrong and f"{key}:" not in wrong:
                    continue
                told.append(f"  the story of {key}:")
                told += [
                    f"    {json.dumps(event.document)}" for event in client.story(key)
                ]
        told += ["  ledger:", *(f"    {line}" for line in outcome.ledger)]
        return "\n".join(told)


def line(outcome: Outcome) -> str:
    """A run in a line."""
    kills = " ".join(map(str, outcome.drawn))
    return (
        f"seed {outcome.seed:4}  {len(outcome.views):3} jobs  "
        f"{outcome.seconds:5.1f} s  {kills}"
    )
