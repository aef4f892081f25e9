"""The engine's process: reads chunks, keeps the GPU's queue full, sends results.

Four threads. The reader waits on the socket and ends the process when the replica
is gone. The main thread launches batches and never waits for the GPU. The collector
waits for them in the order of launching. The sender writes finished chunks to the
socket, so that a large one holds nobody up.
"""

from __future__ import annotations

import io
import os
import pickle
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle

from orchestrator.engines import cuda
from orchestrator.engines.assemble import Assembly, without_columns
from orchestrator.engines.base import Batch, Columns, Executor
from orchestrator.engines.executors import executor_for
from orchestrator.engines.messages import (
    Begin,
    Hello,
    Load,
    Output,
    Run,
    Stop,
    ToEngine,
)
from orchestrator.engines.rescue import rescue
from orchestrator.errors import Code, Fault, OrchError

AHEAD = 4
"""Batches that may be launched and not yet collected; bounds memory, hides launches."""


def serve(conn: Connection) -> None:
    """Answer one replica until it says stop or goes away."""
    conn.send(Hello(os.getpid()))
    inbox: queue.SimpleQueue[ToEngine] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(conn, inbox), daemon=True).start()
    while isinstance(first := inbox.get(), Begin):
        _redirect(first.output)
    if not isinstance(first, Load):
        return
    executor = _load(conn, first)
    if executor is not None:
        _Pipeline(conn, executor).run(inbox)


def _read(conn: Connection, inbox: queue.SimpleQueue[ToEngine]) -> None:
    while True:
        try:
            message: ToEngine = conn.recv()
            if isinstance(message, Begin):
                message = Begin(recv_handle(conn))
        except (EOFError, OSError):
            # The replica is gone: nobody wants the results, the GPU must be free.
            os._exit(0)
        # On after Stop too: it may come while the model loads for minutes yet.
        inbox.put(message)


def _load(conn: Connection, load: Load) -> Executor | None:
    os.environ.update(load.environment)
    try:
        executor = executor_for(load.spec)
        conn.send(executor.load())
    except OrchError as error:
        traceback.print_exc()
        conn.send(error.fault)
    except Exception as error:  # noqa: BLE001 - the reason must reach the user
        traceback.print_exc()
        conn.send(_load_fault(error, load.log))
    else:
        return executor
    return None


def _load_fault(error: Exception, log: str) -> Fault:
    return Fault(
        Code.MODEL_FAILED_TO_LOAD,
        f"{type(error).__name__}: {error}",
        facts=(f"log: {log}",),
    )


def _redirect(output: int) -> None:
    # What was printed so far belongs to the job before.
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Into a pipe it would come in blocks, long after it was printed.
        sys.stdout.reconfigure(line_buffering=True)


class _Pipeline:
    """Launches on one thread, collects on another, at most `AHEAD` apart."""

    def __init__(self, conn: Connection, executor: Executor) -> None:
        self._conn = conn
        self._executor = executor
        self._launched: queue.Queue[tuple[Assembly, Batch, Finish] | None]
        self._launched = queue.Queue(maxsize=AHEAD)
        self._finished: queue.SimpleQueue[Output | Fault | None] = queue.SimpleQueue()

    def run(self, inbox: queue.SimpleQueue[ToEngine]) -> None:
        """Serve chunks until told to stop."""
        threads = [
            threading.Thread(target=_or_exit, args=(work,), daemon=True)
            for work in (self._collect, self._send)
        ]
        for thread in threads:
            thread.start()
        while True:
            message = inbox.get()
            match message:
                case Begin():
                    _redirect(message.output)
                case Run():
                    self._launch_chunk(message)
                case Stop():
                    self._launched.put(None)
                    for thread in threads:
                        thread.join()
                    return
                case Load():
                    raise AssertionError("an engine loads one model, once")

    def _launch_chunk(self, chunk: Run) -> None:
        assembly = Assembly(chunk.number, chunk.rows, len(chunk.batches))
        if not chunk.batches:
            self._finished.put(assembly.output(self._executor.held()))
        for batch in chunk.batches:
            self._launched.put((assembly, batch, self._launch(batch)))

    def _launch(self, batch: Batch) -> Finish:
        try:
            return self._executor.launch(batch)
        except Exception as error:  # noqa: BLE001 - sorted out by the collector
            return _raiser(error)

    def _collect(self) -> None:
        try:
            while (item := self._launched.get()) is not None:
                self._finish(*item)
        except Exception as error:
            fault = self._lack(error)
            if fault is None:
                raise
            traceback.print_exc()
            self._finished.put(fault)
        self._finished.put(None)

    def _send(self) -> None:
        while (output := self._finished.get()) is not None:
            if isinstance(output, Fault):
                self._conn.send(output)
                os._exit(1)
            try:
                self._conn.send(output)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                self._conn.send(without_columns(output, error))

    def _lack(self, error: Exception) -> Fault | None:
        """E104 if that is what it is: no smaller batch would help then."""
        if isinstance(error, OrchError):
            return error.fault
        if not self._executor.is_out_of_memory(error):
            return None
        return self._executor.too_large(error).fault

    def _finish(self, assembly: Assembly, batch: Batch, finish: Finish) -> None:
        try:
            assembly.add(batch.rows, finish())
        except Exception as error:
            if cuda.is_broken(error):
                # Every later batch would fail as well: these rows run elsewhere.
                raise
            rescue(self._executor, batch, error, assembly)
        assembly.batch_done()
        if assembly.complete:
            self._finished.put(assembly.output(self._executor.held()))


Finish = Callable[[], Columns]


def _or_exit(work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException:  # noqa: BLE001 - a thread that ends silently hangs the job
        traceback.print_exc()
        os._exit(1)


def _raiser(error: Exception) -> Finish:
    def finish() -> Columns:
        raise error

    return finish
