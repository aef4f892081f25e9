from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.client import documents
from tests.client.fake_controller import FakeController

ROOT = Path(__file__).parents[2]
CTRL_C = b"\x03"
CANCEL = "/v1/jobs/42/cancel"


def asked(*, force: bool) -> dict[str, object]:
    return {"force": force, "grace_s": None, "reason": "Ctrl-C"}


class Terminal:
    """`orch submit` on a pseudo-terminal of its own."""

    def __init__(self, *options: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            command = [sys.executable, "-m", "orchestrator", "submit", "embed.yaml"]
            command += options
            os.execve(
                sys.executable,
                command,
                {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
            )
        self._seen = ""

    def expect(self, text: str) -> str:
        """Return what is written up to `text`."""
        deadline = time.monotonic() + 20
        while text not in self._seen:
            left = deadline - time.monotonic()
            readable, _, _ = select.select([self._fd], [], [], max(0, left))
            assert readable, f"{text!r} did not come in {self._seen!r}"
            self._seen += self._read()
        before, self._seen = self._seen.split(text, 1)
        return before

    def press(self, key: bytes) -> None:
        os.write(self._fd, key)

    def end(self) -> tuple[int, str]:
        """The exit code (negative: a signal), and what was left to read."""
        while text := self._read():
            self._seen += text
        _pid, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status), self._seen

    def _read(self) -> str:
        try:
            return os.read(self._fd, 65536).decode()
        except OSError:  # Linux says EIO where the other side has closed
            return ""


@pytest.fixture
def running(controller: FakeController) -> Terminal:
    """A submitted job that runs until it is cancelled, being followed."""
    terminal = Terminal()
    terminal.expect("Job 42 'embed' submitted")
    controller.wait_asked("/v1/jobs/42")
    return terminal


def test_once_detaches_and_the_job_goes_on(
    running: Terminal, controller: FakeController
) -> None:
    running.press(CTRL_C)
    running.expect("Detached. Job 42 is still running (4,210/12,000 rows, 2 failed).")
    for command in ("orch logs -f 42", "orch wait 42", "orch cancel 42"):
        running.expect(command)
    pressed = time.monotonic()
    code, _rest = running.end()
    assert code == 130
    assert time.monotonic() - pressed < 4
    assert controller.asked(CANCEL) == []


def test_twice_cancels_and_follows_to_the_end(
    running: Terminal, controller: FakeController
) -> None:
    controller.on_cancel = lambda _force: [
        documents.job(state="STOPPING"),
        documents.job(state="CANCELLED"),
    ]
    running.press(CTRL_C)
    running.expect("Detached.")
    running.press(CTRL_C)
    running.expect("Cancelling job 42")
    code, rest = running.end()
    assert code == 7
    assert "Job 42 cancelled after" in rest
    assert controller.asked(CANCEL) == [asked(force=False)]


def test_three_times_kills(running: Terminal, controller: FakeController) -> None:
    controller.on_cancel = lambda _force: [documents.job(state="STOPPING")]
    running.press(CTRL_C)
    running.expect("Detached.")
    running.press(CTRL_C)
    running.expect("Cancelling job 42")
    controller.wait_asked(CANCEL)
    running.press(CTRL_C)
    running.expect("Killed.")
    assert running.end()[0] == 7
    assert controller.asked(CANCEL) == [asked(force=False), asked(force=True)]


def test_the_first_may_cancel_if_that_was_asked_for(
    controller: FakeController,
) -> None:
    terminal = Terminal("--on-interrupt", "cancel")
    terminal.expect("Ctrl-C cancels the job")
    controller.wait_asked("/v1/jobs/42")
    terminal.press(CTRL_C)
    terminal.expect("Cancelling job 42")
    assert terminal.end()[0] == 7
    assert controller.asked(CANCEL) == [asked(force=False)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_only_end_the_following(
    running: Terminal, controller: FakeController, number: signal.Signals
) -> None:
    os.kill(running.pid, number)
    code, rest = running.end()
    assert code == 128 + number
    assert "Traceback" not in rest
    assert rest.count("\x1b[?25l") <= rest.count("\x1b[?25h")  # the cursor is back
    assert controller.asked(CANCEL) == []


def test_off_a_terminal_the_first_leaves_at_once(controller: FakeController) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "submit", "embed.yaml"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    controller.wait_asked("/v1/jobs/42")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _out, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - began < 1.5
    assert "Detached. Job 42 is still running" in said
    assert "Press Ctrl-C" not in said
    assert controller.asked(CANCEL) == []


def test_a_bar_moves_on_a_terminal(running: Terminal) -> None:
    running.expect("job 42 running")
    running.expect("4,210/12,000 rows")
    running.expect("46.8 rows/s, ETA 2m46s")
    running.press(CTRL_C)
    assert running.end()[0] == 130
