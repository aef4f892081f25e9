from __future__ import annotations

from dataclasses import replace

from orchestrator.client.fleet_views import GpusView
from orchestrator.render.gpus import gpus_table
from orchestrator.scheduling.snapshot import Owner
from orchestrator.units import GIB
from tests.client import documents


def _view() -> GpusView:
    foreign = Owner(5121, "python", "ana", GIB)
    mute = replace(documents.gpu(1), temperature=None, utilization=None)
    gpus = (documents.gpu(0), mute, documents.gpu(2, problem="fell off the bus"))
    held = (
        documents.reservation(0, "job 42 replica 0"),
        documents.reservation(1, "idle MiniLM", idle=True),
    )
    owned = (gpus[0], replace(mute, owners=(foreign,)), gpus[2])
    document = documents.gpus(owned, held)
    document["reservations"][1]["keeps_seconds"] = 100.0
    return GpusView.from_json(document)


def test_the_table_says_what_is_free_and_who_holds_the_rest() -> None:
    # GPU 0: 20.0 free - 1.0 promised and unseen - 0.7 headroom. GPU 1: its idle
    # engine would give 3.0 back.
    assert gpus_table(_view(), bars=False) == [
        "NODE   GPU  NAME       TEMP  UTIL    USED / TOTAL  RESERVED  PLACEABLE  OWNER",
        "local    0  RTX 4090  61 °C  93 %  4.0 / 24.0 GiB   4.0 GiB   18.3 GiB"
        "  job 42 replica 0",
        "local    1  RTX 4090      -     -  4.0 / 24.0 GiB   4.0 GiB   22.3 GiB"
        "  idle MiniLM (keeps 1m40s); pid 5121 ana python 1.0 GiB",
        "local    2  RTX 4090  61 °C  93 %  4.0 / 24.0 GiB         -          -"
        "  fell off the bus",
    ]


def test_a_bar_shows_the_share_in_use() -> None:
    lines = gpus_table(_view(), bars=True)
    assert "██░░░░░░░░ 4.0 / 24.0 GiB" in lines[1]


def test_no_gpus_is_an_empty_table() -> None:
    view = GpusView.from_json(documents.gpus(()))
    assert len(gpus_table(view, bars=True)) == 1
