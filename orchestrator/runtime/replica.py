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
from orchestrator.engines.base import EngineSpec, Loaded, Prepared, Preparer
from orchestrator.engines.link import EngineLink
from orchestrator.engines.messages import Load, Output
from orchestrator.engines.registry import preparer_for
from orchestrator.errors import Code, OrchError

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
        peak_bytes: The most memory the engine has held on its GPU.
    """

    table: bytes
    ok: int
    failures: Sequence[RowFailure]
    splits: int
    peak_bytes: int


class Replica:
    """One copy of the model on one GPU."""

    def __init__(self, name: str, log: str) -> None:
        self._name = name
        self._log = log
        self._preparing = threading.Lock()
        self._link: EngineLink | None = None
        self._spec: EngineSpec | None = None
        self._preparer: Preparer | None = None
        self._budget = 0

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
        loaded = self._link.load(Load(spec, self._environment(spec), self._log))
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
        """Whether the engine's process ended within this time."""
        return self._link is None or self._link.gone.wait(timeout_s)

    @ray.method
    def stop(self) -> None:
        """End the engine's process, so that the GPU's memory comes back."""
        if self._link is not None:
            self._link.stop()

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
        return ChunkResult(table, len(rows), failures, output.splits, output.peak_bytes)

    def _set_budget(self, budget: int) -> None:
        if self._spec is None:
            raise OrchError.of(Code.BUG, "a replica was used before it was loaded")
        self._budget = budget
        self._preparer = preparer_for(self._spec, budget)

    def _environment(self, spec: EngineSpec) -> dict[str, str]:
        threads = str(spec.cores)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return {
            "CUDA_VISIBLE_DEVICES": visible,
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "OMP_NUM_THREADS": threads,
            "RAYON_NUM_THREADS": threads,
            "TOKENIZERS_PARALLELISM": "true",
        }


ReplicaActor = ray.remote(Replica)
