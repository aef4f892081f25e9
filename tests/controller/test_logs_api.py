"""Logs over HTTP: of the head's own files, and of nodes that are away."""

from __future__ import annotations

from pathlib import Path

from orchestrator.controller.logs import Asked, Piece
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


def test_the_answer_names_the_attempt_whose_offsets_it_has(two: Plant) -> None:
    job = two.command(retry={"max": 1, "on": ["error"], "backoff": "0s..0s"})
    first = two.folder / two.started(job).spec.folder / "rank-0.log"
    first.parent.mkdir(parents=True)
    first.write_bytes(b"first\n")
    begun = two.client.get(f"/v1/jobs/{job}/logs/0?limit=4")
    assert (begun.headers["Orch-Attempt"], begun.headers["Orch-Next"]) == ("1", "4")
    two.end(job, code=1)
    second = two.folder / two.started(job, 2).spec.folder / "rank-0.log"
    second.parent.mkdir(parents=True)
    second.write_bytes(b"the second attempt\n")
    rest = two.client.get(f"/v1/jobs/{job}/logs/0?offset=4&attempt=1")
    assert (rest.content, rest.headers["Orch-Ended"]) == (b"t\n", "1")
    newest = two.client.get(f"/v1/jobs/{job}/logs/0")
    assert newest.headers["Orch-Attempt"] == "2"
    assert newest.content == b"the second attempt\n"
    two.end(job, attempt=2)


def test_who_waits_for_more_waits_for_more_of_the_same_attempt() -> None:
    asked = Asked(rank=0, tail=3)
    assert Piece(b"", 9, ended=False, attempt=2).goes_on(asked) == Asked(
        rank=0, attempt=2, offset=9
    )
    nothing = Piece(b"", 0, ended=False, attempt=0)
    assert nothing.goes_on(asked) == asked, "there is no log yet"
