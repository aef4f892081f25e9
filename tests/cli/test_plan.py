"""`orch plan` for described clusters: no controller, no trace, the words as golden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import EXIT_NEVER, EXIT_NOT_NOW, EXIT_OK
from tests.cli.conftest import Orch
from tests.client.big_model import big_model
from tests.client.fake_controller import FakeController

PLANS = Path(__file__).parent / "plans"
DUAL = "nodes: [{name: box, gpus: [{model: RTX 4090, total: 24GiB, count: 2}]}]\n"
BOXES = {
    "dual": DUAL,
    "uneven": "nodes: [{name: box, gpus: [{model: RTX 4090, total: 24GiB},"
    " {model: RTX 2070, total: 8GiB}]}]\n",
    "full": DUAL.replace("24GiB", "24GiB, free: 2GiB"),
    "small": "nodes: [{name: box, gpus: [{model: RTX 2070, total: 8GiB}]}]\n",
}
REFUSED = "orch submit would refuse it: a model cut over several GPUs is not run yet"
JOB = """\
version: 1
kind: batch
model: {id: ./big}
input: {path: rows.jsonl}
"""
FITS, LARGE = 36, 60
"""Layers of a model for a GPU of 24 GiB, and of one for 24 and 8 GiB together."""


@pytest.fixture
def box(place: Path, request: pytest.FixtureRequest) -> str:
    """A described box, and `job.yaml`: its model has so many layers."""
    name, layers = request.param
    (place / "box.yaml").write_text(BOXES[name])
    (place / "job.yaml").write_text(JOB)
    big_model(place / "big", layers=layers)
    return f"{name}_{layers}"


def described(*of: tuple[str, int]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("box", of, indirect=True)


@pytest.mark.parametrize(
    ("box", "code", "refused"),
    [
        (("dual", FITS), EXIT_OK, False),
        (("dual", LARGE), EXIT_OK, True),
        (("uneven", LARGE), EXIT_OK, True),
        (("full", FITS), EXIT_NOT_NOW, False),
        (("small", LARGE), EXIT_NEVER, False),
    ],
    indirect=["box"],
)
def test_the_plan_for_a_box_as_people_see_it(
    orch: Orch, place: Path, box: str, code: int, refused: bool
) -> None:
    done = orch("plan", "job.yaml", "--cluster", "box.yaml")
    assert done.out == (PLANS / f"{box}.txt").read_text("utf-8")
    assert max(map(len, done.out.splitlines())) <= 80
    assert (done.code, REFUSED in done.err) == (code, refused)
    assert "for the cluster of box.yaml\n" in done.err
    assert not (place / "state").exists()


@described(("full", FITS))
@pytest.mark.usefixtures("box")
def test_use_can_be_ignored(orch: Orch, place: Path) -> None:
    options = ("--cluster", "box.yaml", "--assume-idle")
    done = orch("plan", "job.yaml", *options)
    assert (done.code, done.out.startswith("Plan  2 replicas ")) == (0, True)
    assert "as if nothing else were on it" in done.err
    in_json = orch("plan", "job.yaml", *options, "--json")
    assert (in_json.code, in_json.err) == (0, "")
    assert [p["gpu"]["free_bytes"] for p in in_json.data["plan"]["placements"]] == (
        [24 << 30] * 2
    )
    assert not (place / "state").exists()


@described(("small", LARGE))
@pytest.mark.usefixtures("box")
def test_a_cluster_is_planned_for_without_asking_the_controller(
    orch: Orch, controller: FakeController
) -> None:
    done = orch("plan", "job.yaml", "--cluster", "box.yaml", "--json")
    assert (done.code, done.data["diagnosis"]["ever"]) == (EXIT_NEVER, False)
    assert controller.asked("/v1/plan") == []


def test_the_controller_is_asked_to_ignore_use(
    orch: Orch, controller: FakeController
) -> None:
    assert orch("plan", "embed.yaml", "--assume-idle").code == 0
    assert orch("plan", "embed.yaml").code == 0
    asked = controller.asked("/v1/plan")
    assert [body["assume_idle"] for body in asked] == [True, False]


def test_mistakes_of_a_cluster_file_have_their_place(orch: Orch, place: Path) -> None:
    text = "nodes:\n  - name: box\n    gpus:\n      - {totl: 24GiB}\n"
    (place / "box.yaml").write_text(text)
    done = orch("plan", "embed.yaml", "--cluster", "box.yaml")
    assert (done.code, done.out) == (2, "")
    first = "error[E201 unknown-field]: box.yaml:4:10: 'totl' is not a field of"
    assert done.err.startswith(first)
    in_json = orch("plan", "embed.yaml", "--cluster", "none.yaml", "--json")
    error = json.loads(in_json.out)["error"]
    assert (in_json.code, error["faults"][0]["code"]) == (2, "E204")
