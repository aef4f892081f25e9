"""The Grafana file and the page on the dashboard, against the metrics there are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from orchestrator.lifecycle.states import State
from orchestrator.runtime.metrics import METRICS, Kind, Metric
from tests.docs.paths import text_of

DASHBOARD: dict[str, Any] = json.loads(text_of("grafana/orch.json"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
_GIVEN_BY_PROMETHEUS = {"le"}


def expressions() -> list[str]:
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def series(metric: Metric) -> set[str]:
    """The names that queries may use."""
    if metric.kind is not Kind.HISTOGRAM:
        return {metric.exported}
    # Ray makes up the sum from the middles of the buckets.
    return {f"{metric.exported}_{part}" for part in ("bucket", "count")}


def test_it_asks_for_every_metric_and_for_no_other() -> None:
    asked = {n for text in expressions() for n in re.findall(r"\bray_\w+", text)}
    known = {name for metric in METRICS for name in series(metric)}
    assert asked == known


def test_it_asks_for_labels_that_there_are() -> None:
    for text in expressions():
        names = set(re.findall(r"\bray_\w+", text))
        known = {
            label
            for metric in METRICS
            if series(metric) & names
            for label in metric.labels
        }
        used = set(re.findall(r'(\w+)=~?"', text))
        for group in re.findall(r"by \(([^)]*)\)", text):
            used |= set(group.split(", "))
        assert used <= known | _GIVEN_BY_PROMETHEUS


def test_it_asks_for_states_that_there_are() -> None:
    named = re.findall(r'state=~?"([^"]*)"', " ".join(expressions()))
    assert {state for text in named for state in text.split("|")} <= set(State)


def test_its_legends_name_labels_of_their_query() -> None:
    for target in (target for panel in PANELS for target in panel["targets"]):
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert re.search(rf"by \([^)]*\b{label}\b", target["expr"])


def test_whoever_imports_it_says_where_the_figures_are() -> None:
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    asked = [*PANELS, *(t for p in PANELS for t in p["targets"]), variables["node"]]
    assert {each["datasource"]["uid"] for each in asked} == {"${datasource}"}


def test_no_two_panels_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_page_names_every_metric_and_its_labels(metric: Metric) -> None:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
    row = f"| `{metric.exported}` | {metric.kind} | {labels} | {metric.text} |"
    assert row in text_of("docs/dashboard.md")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_prometheus_renames_none_of_our_labels(metric: Metric) -> None:
    assert not {"job", "instance"} & set(metric.labels)
