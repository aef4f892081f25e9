"""The files that travel with a job: sent once, asked for, and named by the job."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator

import pytest

from orchestrator.controller.cluster_calls import MAX_SNAPSHOT_BYTES
from orchestrator.runtime.commands.spec import Snapshot
from tests.controller.plant import Plant, command_for


def packed(**files: str) -> tuple[str, bytes]:
    """A tar.gz and its hash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    body = gzip.compress(buffer.getvalue(), mtime=0)
    return hashlib.sha256(body).hexdigest(), body


def test_what_was_sent_is_there_and_reaches_the_node(two: Plant) -> None:
    sha256, body = packed(run="echo hello")
    path = f"/v1/snapshots/{sha256}"
    missing = two.client.get(path)
    assert missing.status_code == 404
    assert missing.json()["error"]["faults"][0]["code"] == "E204"
    for _ in range(2):
        assert two.client.put(path, content=body).json() == {}
    assert two.get(path) == {}
    request = {**command_for(two.folder), "snapshot": sha256}
    job = two.post("/v1/jobs", request)["job"]["id"]
    snapshot = two.started(job).spec.snapshot
    file = two.folder / "snapshots" / f"{sha256}.tar.gz"
    assert snapshot == Snapshot(sha256, str(file))
    assert file.read_bytes() == body
    two.end(job)


def test_every_task_gets_it(two: Plant) -> None:
    sha256, body = packed(a="1")
    two.client.put(f"/v1/snapshots/{sha256}", content=body)
    request = {**command_for(two.folder, array={"range": "0-1"}), "snapshot": sha256}
    job = two.post("/v1/jobs", request)["job"]["id"]
    for task in (0, 1):
        snapshot = two.started(f"{job}.{task}").spec.snapshot
        assert snapshot is not None
        assert snapshot.sha256 == sha256
        two.end(f"{job}.{task}")


@pytest.mark.parametrize("snapshot", ["0" * 64, "../../etc/passwd", "x", ""])
def test_a_job_cannot_name_what_was_not_sent(two: Plant, snapshot: str) -> None:
    request = {**command_for(two.folder), "snapshot": snapshot}
    answer = two.client.post("/v1/jobs", json=request)
    assert answer.status_code == 400
    assert answer.json()["error"]["faults"][0]["code"] == "E203"


def test_another_hash_is_refused(two: Plant) -> None:
    sha256, body = packed(a="1")
    wrong = two.client.put(f"/v1/snapshots/{'0' * 64}", content=body)
    assert wrong.json()["error"]["faults"][0]["code"] == "E203"
    upper = two.client.put(f"/v1/snapshots/{sha256.upper()}", content=body)
    assert upper.status_code == 400
    assert two.client.get(f"/v1/snapshots/{sha256}").status_code == 404


def test_more_than_is_allowed_is_cut_off(two: Plant) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 2 * MAX_SNAPSHOT_BYTES:
            sent += 1 << 20
            yield b" " * (1 << 20)

    answer = two.client.put(f"/v1/snapshots/{'0' * 64}", content=endless())
    assert answer.status_code == 400
    assert "64 MiB" in answer.json()["error"]["faults"][0]["message"]
    assert list((two.folder / "snapshots").iterdir()) == []
