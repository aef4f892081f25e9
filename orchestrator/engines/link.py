"""A replica's end of the wire to its engine process. Imports nothing heavy."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path

from orchestrator.engines.base import Batch, Loaded
from orchestrator.engines.messages import (
    Begin,
    FromEngine,
    Hello,
    Load,
    Output,
    Run,
    Stop,
)
from orchestrator.errors import Code, Fault, OrchError


class EngineLink:
    """One engine process, from its fork to its end."""

    def __init__(self, zygote: Path) -> None:
        """Fork an engine from the zygote listening at this socket.

        Raises:
            OSError: There is no zygote there.
        """
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            wire.connect(str(zygote))
        except OSError:
            wire.close()
            raise
        self._conn = Connection(wire.detach())
        self._folder = zygote.parent
        self._numbers = itertools.count()
        self._sending = threading.Lock()
        self._waiting: dict[int, Future[Output]] = {}
        self._died: OrchError | None = None
        self.pid = 0
        self.gone = threading.Event()

    def begin(self, output: int) -> None:
        """Have the process write to this file or pipe, from what is sent next on.

        May come before `load`; the caller keeps its own descriptor.
        """
        # A dead process is noticed by whoever waits for its answer.
        with self._sending, suppress(OSError):
            self._conn.send(Begin())
            send_handle(self._conn, output, self.pid)

    def load(self, load: Load) -> Loaded:
        """Load the model; blocks until it stands on its GPU.

        Raises:
            OrchError: The model could not be loaded, or the process died.
        """
        try:
            hello = self._conn.recv()
            assert isinstance(hello, Hello)
            self.pid = hello.pid
            with self._sending:
                self._conn.send(load)
            answer: FromEngine = self._conn.recv()
        except (EOFError, OSError) as error:
            self.gone.set()
            raise self._death("while loading") from error
        # After a fault the process ends; its end is seen in the same way.
        threading.Thread(target=self._read, daemon=True).start()
        if isinstance(answer, Fault):
            raise OrchError((answer,))
        assert isinstance(answer, Loaded)
        return answer

    def run(self, rows: int, batches: Sequence[Batch]) -> Future[Output]:
        """Queue the batches of one chunk; the result comes when all have run."""
        future: Future[Output] = Future()
        number = next(self._numbers)
        with self._sending:
            if self._died is not None:
                future.set_exception(self._died)
                return future
            self._waiting[number] = future
            # A dead process is noticed by the reader, which fails the future.
            with suppress(OSError):
                self._conn.send(Run(number, rows, batches))
        return future

    def stop(self) -> None:
        """Ask the process to end after what it has queued."""
        with self._sending, suppress(OSError):
            self._conn.send(Stop())

    def _read(self) -> None:
        died = self._receive()
        with self._sending:
            self._died = died
        for future in list(self._waiting.values()):
            future.set_exception(died)
        self.gone.set()

    def _receive(self) -> OrchError:
        """Pass on outputs until there are no more; why that is."""
        try:
            while True:
                message: FromEngine = self._conn.recv()
                if isinstance(message, Fault):
                    # Its last word: the process ends by itself.
                    return OrchError((message,))
                assert isinstance(message, Output)
                self._waiting.pop(message.number).set_result(message)
        except (EOFError, OSError):
            return self._death("while running")
        except Exception as error:  # noqa: BLE001 - whatever unpickling may raise
            self.stop()
            return _unreadable(error)

    def _death(self, when: str) -> OrchError:
        how = _how_it_ended(self._folder / f"{self.pid}.exit")
        return OrchError.of(
            Code.GPU_LOST,
            f"the engine process {self.pid} ended {when}: {how}",
            fix="see the replica's log; the rows it had run again elsewhere",
        )


def _how_it_ended(file: Path) -> str:
    # The zygote writes the file when it reaps the child, a moment after the socket
    # closed; half a second is plenty and only delays the wording.
    waiter = threading.Event()
    for _ in range(50):
        with suppress(OSError, ValueError):
            code = int(json.loads(file.read_text())["code"])
            if code >= 0:
                return f"exit code {code}"
            return f"killed by {signal.Signals(-code).name}"
        waiter.wait(0.01)
    return "no exit status was seen"


def _unreadable(error: Exception) -> OrchError:
    return OrchError.of(
        Code.USER_CODE_RAISED,
        "the model's output cannot be read outside its process: "
        f"{type(error).__name__}: {error}",
        fix="return tensors, numbers, texts, or lists and dicts of them",
    )
