"""Logs over HTTP: of the head's own files, and of nodes that are away."""

from __future__ import annotations

from pathlib import Path

from tests.controller.plant import Plant


def ended_with_log(two: Plant, text: bytes) -> tuple[int, Path]:
    """A command that is over; its log, as a shim on the head would have left it."""
    job = two.command()
    log = two.folder / two.started(job).spec.folder / "rank-0.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(text)
    two.end(job)
    return job, log


def test_a_log_is_read_piece_by_piece_to_its_end(two: Plant) -> None:
    job, _ = ended_with_log(two, b"one\ntwo\n")
    assert two.get(f"/v1/jobs/{job}/logs")["logs"] == [
        {"attempt": 1, "rank": 0, "bytes": 8}
    ]
    first = two.client.get(f"/v1/jobs/{job}/logs/0?limit=4")
    assert (first.content, first.headers["Orch-Ended"]) == (b"one\n", "0")
    rest = two.client.get(f"/v1/jobs/{job}/logs/0?offset={first.headers['Orch-Next']}")
    assert (rest.content, rest.headers["Orch-Ended"]) == (b"two\n", "1")


def test_the_log_of_a_node_that_is_away_is_not_an_empty_one(two: Plant) -> None:
    job, log = ended_with_log(two, b"one\n")
    two.world.dead_nodes.add("node-a")
    two.world.until(lambda: not two.core.rooms, "the node is missed")
    head = two.client.get(f"/v1/jobs/{job}/logs/0")
    assert head.content == b"one\n", "an earlier life of the head wrote it"
    log.unlink()
    log.parent.rmdir()
    away = two.client.get(f"/v1/jobs/{job}/logs/0")
    assert away.status_code == 400
    assert [f["code"] for f in away.json()["error"]["faults"]] == ["E501"]
    two.world.change(two.world.dead_nodes.clear)
