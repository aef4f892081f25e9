"""`orch simulate`: the placement experiment of a recorded cluster."""

from __future__ import annotations

import re
from pathlib import Path

import click

from orchestrator.cli.session import Session, with_session
from orchestrator.render.simulation import simulation_json, simulation_table
from orchestrator.scheduling.policy import Scoring
from orchestrator.simulator.experiment import Result, experiment, scaled
from orchestrator.simulator.trace import read_trace

DEFAULT = "default"
_POLICIES = (DEFAULT, *sorted(scoring.value for scoring in Scoring))


class Seeds(click.ParamType[tuple[int, ...]]):
    """One number, or a range such as `42..51`."""

    name = "seeds"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, ...]:
        """The seeds themselves."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,9})(?:\.\.(\d{1,9}))?", str(value))
        if match is None or int(match[2] or match[1]) < int(match[1]):
            self.fail("expected a number, or a range such as 42..51", param, ctx)
        return tuple(range(int(match[1]), int(match[2] or match[1]) + 1))


@click.command(
    "simulate",
    epilog="""\b
Examples:
  orch simulate traces/
  orch simulate traces/ --policy random --policy best_fit --policy default
  orch simulate traces/ --pods traces/many_shares.csv --seeds 42..46 --json""",
)
@click.argument("trace_dir", type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=click.Choice(_POLICIES),
    default=(DEFAULT,),
    show_default=True,
    help="What decides; may be repeated. `default`: what orch itself places by.",
)
@click.option(
    "--seeds",
    type=Seeds(),
    default="42..51",
    show_default=True,
    help="Orders of arrival.",
)
@click.option(
    "--nodes",
    type=click.IntRange(min=1),
    help="As many nodes as this: the first ones of the list, or all several times.",
)
@click.option(
    "--pods",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Another list of pods.",
)
@with_session
def command(
    session: Session,
    *,
    trace_dir: Path,
    policies: tuple[str, ...],
    seeds: tuple[int, ...],
    nodes: int | None,
    pods: Path | None,
) -> int:
    """Put a recorded cluster and its jobs to the planner, and count what stays free.

    TRACE_DIR has openb_node_list_gpu_node.csv and openb_pod_list_default.csv of the
    Alibaba GPU trace. Pods come in random order until they ask for 130 % of the GPUs;
    what does not fit is dropped. Lower is better.
    """
    trace = read_trace(trace_dir, pods)
    if nodes is not None:
        trace = scaled(trace, nodes)
    results = []
    for policy in policies:
        scoring = Scoring.PACKED_FGD if policy == DEFAULT else Scoring(policy)
        runs = []
        for seed in seeds:
            session.progress(f"{policy}, seed {seed}")
            runs.append(experiment(trace, scoring, seed))
        results.append(Result(policy, tuple(runs)))
    if session.as_json:
        session.answer("simulate", {"results": simulation_json(results)})
    else:
        session.write_all(simulation_table(results))
    return 0
