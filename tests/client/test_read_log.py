from __future__ import annotations

from pathlib import Path

from orchestrator.client.client import Client
from orchestrator.client.logs import read_log
from tests.client.fake_controller import FakeController


def test_the_newest_log_is_followed_to_its_own_end(
    controller: FakeController, folder: Path
) -> None:
    controller.logs.write(42, b"first\n", ended=False)
    with Client.connect(folder) as client:
        pieces = read_log(client, 42, 0, 0, follow=True)
        piece = next(pieces)
        assert (piece.data, piece.attempt, piece.ended) == (b"first\n", 1, False)
        controller.logs.write(42, b"another attempt\n", attempt=2)
        controller.logs.write(42, b"last\n")
        assert [(p.data, p.attempt, p.offset) for p in pieces] == [(b"last\n", 1, 6)]
        (newest,) = read_log(client, 42, 0, 0, follow=True)
        assert (newest.data, newest.attempt) == (b"another attempt\n", 2)
