"""A replica's actor: rows in, encoded part out. Its engine has a process of its own.

The actor is light (no torch): it decodes chunks, tokenises and encodes results while
the engine's process does nothing but keep the GPU busy. Several chunks are in it at a
time, each in another stage.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import ray

from orchestrator.data.decode import decode
from orchestrator.data.parts import encode_part
from orchestrator.data.rows import Chunk, RowFailure
from orchestrator.engines.base import EngineSpec, Held, Loaded, Prepared, Preparer
from orchestrator.engines.link import EngineLink
from orchestrator.engines.messages import Load, Output
from orchestrator.engines.registry import preparer_for
from orchestrator.errors import Code, OrchError
from orchestrator.runtime.commands.log_writer import READ_BYTES, LogWriter, open_pipe

LAST_WORDS_S = 2.0
"""How long what a dead engine has still written may take to its log."""
GONE_S = 5.0
"""How long an engine that could not load may take to end."""
MAX_CHUNKS = 18
"""Chunks that may be in one replica at a time: the job file's limit, and two calls."""


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """A finished chunk, as it travels back to the runner.

    Attributes:
        table: The results, encoded (data/parts.py).
        ok: Rows in it.
        failures: Rows that have no result.
        splits: Batches that had to be halved for want of memory.
        held: The most memory the engine has held on its GPU.
    """

    table: bytes
    ok: int
    failures: Sequence[RowFailure]
    splits: int
    held: Held


class Replica:
    """One copy of the model on one GPU."""

    def __init__(self, name: str, state: str) -> None:
        """Use the state folder of the replica's node for its logs."""
        self._state = Path(state)
        self._log = self._state / "logs" / f"{name.replace(':', '-')}.log"
        self._redact: tuple[str, ...] = ()
        self._preparing = threading.Lock()
        self._output: threading.Thread | None = None
        self._link: EngineLink | None = None
        self._spec: EngineSpec | None = None
        self._preparer: Preparer | None = None
        self._budget = 0

    @ray.method
    def begin(self, log: str, redact: tuple[str, ...]) -> None:
        """Write into this log, of the node's state folder, from here on.

        Comes before the rows of the job that it belongs to, and before `load`.
        """
        self._log, self._redact = self._state / log, redact
        if self._link is not None:
            self._begin(self._link)

    @ray.method
    def load(self, zygote: str, spec: EngineSpec) -> Loaded:
        """Fork the engine and load the model.

        Raises:
            OrchError: E102 or E103, with the cause; E105 if the process died.
        """
        # Rayon reads it once, when the tokeniser first runs.
        os.environ["RAYON_NUM_THREADS"] = str(spec.cores)
        try:
            self._link = EngineLink(Path(zygote))
        except OSError as error:
            raise OrchError.of(
                Code.GPU_LOST, f"the node's zygote does not answer: {error}"
            ) from error
        self._begin(self._link)
        load = Load(spec, self._environment(spec), str(self._log))
        try:
            loaded = self._link.load(load)
        except OrchError:
            # Whoever looks at the GPU next must not see what it still held.
            self._link.gone.wait(GONE_S)
            raise
        self._spec = spec
        self._set_budget(loaded.budget)
        return loaded

    @ray.method
    def run(
        self, chunk: Chunk, fields: tuple[str, ...], id_field: str | None
    ) -> ChunkResult:
        """Take one chunk through the model.

        Raises:
            OrchError: The engine's process died; the chunk is not done.
        """
        prepared, output = self._start(chunk, fields, id_field)
        result = output.result()
        if result.splits:
            self._set_budget(max(1, self._budget // 2))
        return self._encode(prepared, result)

    @ray.method
    def pids(self) -> tuple[int, int]:
        """The actor's own process and its engine's."""
        return os.getpid(), self._link.pid if self._link else 0

    @ray.method
    def wait_gone(self, timeout_s: float) -> bool:
        """Whether the engine's process ended within this time, its log written."""
        if self._link is None:
            return True
        gone = self._link.gone.wait(timeout_s)
        if gone and self._output is not None:
            self._output.join(LAST_WORDS_S)
        return gone

    @ray.method
    def stop(self) -> None:
        """End the engine's process, so that the GPU's memory comes back."""
        if self._link is not None:
            self._link.stop()

    def _begin(self, link: EngineLink) -> None:
        read, write = open_pipe()
        link.begin(write)
        os.close(write)
        # Here, not in the engine: its last words outlive it.
        self._output = threading.Thread(
            target=_keep_log, args=(read, self._log, self._redact), daemon=True
        )
        self._output.start()

    def _start(
        self, chunk: Chunk, fields: tuple[str, ...], id_field: str | None
    ) -> tuple[Prepared, Future[Output]]:
        assert self._link is not None
        assert self._preparer is not None
        rows, failures = decode(chunk, fields, id_field)
        # One chunk is tokenised at a time, on all of the replica's cores.
        with self._preparing:
            prepared = self._preparer.prepare(rows)
        prepared = replace(prepared, failures=[*failures, *prepared.failures])
        return prepared, self._link.run(len(prepared.rows), prepared.batches)

    def _encode(self, prepared: Prepared, output: Output) -> ChunkResult:
        rows = prepared.rows
        failures = list(prepared.failures)
        if output.bad:
            failures += [
                RowFailure(
                    rows.numbers[bad.position],
                    rows.ids[bad.position],
                    bad.code,
                    bad.message,
                )
                for bad in output.bad
            ]
            rows = rows.without({bad.position for bad in output.bad})
        table = encode_part(rows, output.columns)
        failures.sort(key=lambda failure: failure.row)
        return ChunkResult(table, len(rows), failures, output.splits, output.held)

    def _set_budget(self, budget: int) -> None:
        if self._spec is None:
            raise OrchError.of(Code.BUG, "a replica was used before it was loaded")
        self._budget = budget
        self._preparer = preparer_for(self._spec, budget)

    def _environment(self, spec: EngineSpec) -> dict[str, str]:
        threads = str(spec.cores)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return {
            "OMP_NUM_THREADS": threads,
            "RAYON_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": "true",
            **spec.env,
            "CUDA_VISIBLE_DEVICES": visible,
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        }


def _keep_log(output: int, log: Path, redact: tuple[str, ...]) -> None:
    """Write what comes out of the pipe to its end."""
    try:
        writer = LogWriter(log, redact)
        while data := os.read(output, READ_BYTES):
            writer.write(data)
        writer.close()
    finally:
        os.close(output)


ReplicaActor = ray.remote(Replica)
