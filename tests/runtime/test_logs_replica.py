"""What an engine prints goes to the log of the job it works for. Real engines."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.data.rows import Chunk, ChunkFormat
from orchestrator.errors import OrchError
from orchestrator.runtime.replica import Replica
from tests.engines.user_modules import spec_of
from tests.engines.zygotes import Zygote, zygote

TELLS = """
def forward(self, x):
    import os
    for text in x:
        print("row", text, os.environ.get("MINE", ""))
        os.write(2, b"raw " + text.encode() + bytes([10]))
    return [1 for _ in x]
"""


@pytest.fixture(scope="module")
def parent() -> Iterator[Zygote]:
    with zygote() as running:
        yield running


class Driven:
    """A replica's plain object, called as the controller and a runner call it."""

    def __init__(self, state: Path, parent: Zygote) -> None:
        self.state = state
        self._zygote = str(parent.socket)
        self._replica: Any = Replica("orch:job-1:replica-0", str(state))

    def begin(self, job: int, redact: tuple[str, ...] = ()) -> None:
        self._replica.begin(f"jobs/{job}/attempt-1/rank-0.log", redact)

    def load(self, body: str, **env: str) -> None:
        spec = spec_of(body, self.state, fields=("text",))
        self._replica.load(self._zygote, replace(spec, env=env))

    def run(self, *texts: str) -> None:
        payload = "".join(f"{text}\n" for text in texts).encode()
        chunk = Chunk(0, len(texts), ChunkFormat.TEXT, payload)
        self._replica.run(chunk, ("text",), None)

    def log(self, job: int) -> str:
        path = self.state / "jobs" / str(job) / "attempt-1" / "rank-0.log"
        return path.read_text() if path.exists() else ""

    def end(self) -> None:
        self._replica.stop()
        assert self._replica.wait_gone(10)

    @property
    def pid(self) -> int:
        pids: tuple[int, int] = self._replica.pids()
        assert pids[0] == os.getpid()
        return pids[1]


@pytest.fixture
def replica(tmp_path: Path, parent: Zygote) -> Iterator[Driven]:
    driven = Driven(tmp_path, parent)
    yield driven
    driven.end()


def test_a_warm_engine_writes_to_the_log_of_each_job(replica: Driven) -> None:
    replica.begin(1)
    replica.load(TELLS, MINE="my own")
    replica.run("a", "b")
    replica.begin(2)
    replica.run("c")
    replica.begin(3)
    replica.begin(4)
    replica.run("d")
    replica.end()
    # A row can go through the model twice, if its batch had to be halved.
    printed = [set(replica.log(job).splitlines()) for job in (1, 2, 3, 4)]
    assert printed == [
        {"row a my own", "raw a", "row b my own", "raw b"},
        {"row c my own", "raw c"},
        set(),
        {"row d my own", "raw d"},
    ]


def test_each_job_hides_its_own_secrets(replica: Driven) -> None:
    replica.begin(1, ("s3cret",))
    replica.load(TELLS)
    replica.run("a s3cret")
    replica.begin(2, ("other",))
    replica.run("s3cret other")
    replica.end()
    assert "s3cret" not in replica.log(1)
    assert set(replica.log(1).splitlines()) == {"row a *** ", "raw a ***"}
    assert set(replica.log(2).splitlines()) == {"row s3cret *** ", "raw s3cret ***"}


def test_what_a_module_prints_while_it_loads_is_in_the_log(replica: Driven) -> None:
    body = """
    def __init__(self):
        super().__init__()
        print("loading s3cret")
        raise ValueError("no s3cret")
    """
    replica.begin(1, ("s3cret",))
    with pytest.raises(OrchError):
        replica.load(body)
    replica.end()
    assert "loading ***" in replica.log(1)
    assert "ValueError: no ***" in replica.log(1)


def test_the_last_words_of_a_killed_engine_are_in_the_log(replica: Driven) -> None:
    body = """
    def forward(self, x):
        import os, signal
        print("y" * 200_000, "last words")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    replica.begin(1)
    replica.load(body)
    with pytest.raises(OrchError, match="SIGKILL"):
        replica.run("a")
    replica.end()
    assert replica.log(1).endswith("y last words\n")


def test_a_flood_of_output_is_written_whole(replica: Driven) -> None:
    body = """
    def forward(self, x):
        for n in range(40_000):
            print(n, "z" * 100)
        return [1 for _ in x]
    """
    replica.begin(1)
    replica.load(body)
    replica.run("a")
    replica.end()
    lines = replica.log(1).splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(40_000))


def test_the_engine_is_known_while_it_loads(replica: Driven, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    body = f"""
    def __init__(self):
        super().__init__()
        open({str(tmp_path / "go")!r}).read()

    def forward(self, x):
        return x
    """
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(replica.load, body)
        # Opens once the model's code does: the engine is there, and loads.
        with (tmp_path / "go").open("w"):
            pid = replica.pid
            assert psutil.Process(pid).is_running()
        loading.result(20)
    assert replica.pid == pid
    os.kill(pid, signal.SIGTERM)


def test_logs_leave_no_thread_and_no_descriptor(replica: Driven) -> None:
    replica.begin(1)
    replica.load(TELLS)
    replica.run("a")
    ours = psutil.Process()
    descriptors, threads = ours.num_fds(), ours.num_threads()
    for job in range(2, 30):
        replica.begin(job)
        replica.run("a")
    # The log before the last may be closing just now.
    assert ours.num_fds() <= descriptors + 3
    assert ours.num_threads() <= threads + 1
