"""The rivals: what people write by hand to use one GPU, or all of them."""

from __future__ import annotations

import itertools
import multiprocessing as mp
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import ray
import torch

from benchmarks.encoder import data as rows_of
from benchmarks.encoder.data import Batch, Data, Ints
from benchmarks.encoder.measure import Sink
from benchmarks.encoder.model import Encoder, load_encoder

IN_FLIGHT = 3


@dataclass(frozen=True, slots=True)
class Work:
    """What a set-up is given.

    Attributes:
        folder: The model.
        devices: `cuda:0` ..., or `cpu` as many times as there are CPU devices.
        case: `fixed` or `skewed`.
        rows: How many rows.
        batch: Rows a batch.
        vocab_size: Of the model.
        seed: Of the rows.
        stride: Every so many rows one is kept.
    """

    folder: Path
    devices: tuple[str, ...]
    case: str
    rows: int
    batch: int
    vocab_size: int
    seed: int
    stride: int

    def data(self) -> Data:
        """All rows."""
        return rows_of.make(self.case, self.rows, self.vocab_size, self.seed)

    def batches(self, size: int | None = None) -> list[Batch]:
        """All rows as batches, sorted by length."""
        everything = np.arange(self.rows)
        return rows_of.batches(self.data(), everything, size or self.batch, self.seed)


Finish: TypeAlias = Callable[[], None]


@torch.inference_mode()
def pump(
    encoder: torch.nn.Module, batches: Iterable[Batch], device: str, sink: Sink
) -> None:
    """Runs batches on one GPU with a few under way, so that it never waits."""
    pending: deque[Finish] = deque()
    for batch in batches:
        pending.append(launch(encoder, batch, device, sink))
        if len(pending) >= IN_FLIGHT:
            pending.popleft()()
    for finish in pending:
        finish()


def launch(encoder: torch.nn.Module, batch: Batch, device: str, sink: Sink) -> Finish:
    """Starts a batch; the result waits for its vectors and hands them over."""
    ids = batch.ids.to(device, non_blocking=True)
    lengths = batch.lengths
    if lengths is not None:
        lengths = lengths.to(device, non_blocking=True)
    vectors = encoder(ids, lengths)
    if device == "cpu":
        return lambda: sink.take(batch.rows, vectors.numpy())
    host = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
    host.copy_(vectors, non_blocking=True)
    ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
    ready.record()

    def finish() -> None:
        ready.synchronize()
        sink.take(batch.rows, host.numpy())

    return finish


def loop(work: Work, sink: Sink) -> None:
    """A hand-written loop on the first GPU."""
    device = work.devices[0]
    pump(load_encoder(work.folder, device), work.batches(), device, sink)


def data_parallel(work: Work, sink: Sink) -> None:
    """`torch.nn.DataParallel` over all GPUs, a full batch for each of them."""
    encoder = load_encoder(work.folder, "cuda:0")
    wrapped: torch.nn.Module = torch.nn.DataParallel(encoder)
    batches = work.batches(work.batch * len(work.devices))
    pump(wrapped, batches, "cuda:0", sink)


def threads(work: Work, sink: Sink) -> None:
    """One thread per GPU in one process; each takes the next batch there is."""
    encoders = [load_encoder(work.folder, device) for device in work.devices]
    shared = _Shared(iter(work.batches()))

    def run(encoder: Encoder, device: str) -> None:
        if device != "cpu":
            torch.cuda.set_device(device)
        pump(encoder, shared, device, sink)

    with ThreadPoolExecutor(len(encoders)) as pool:
        list(pool.map(run, encoders, work.devices))


class _Shared(Iterator[Batch]):
    """An iterator that several threads draw from."""

    def __init__(self, source: Iterator[Batch]) -> None:
        self._source = source
        self._lock = threading.Lock()

    def __next__(self) -> Batch:
        with self._lock:
            return next(self._source)


class PlainActor:
    """What a Ray user writes: a model on a GPU, and a method for a batch."""

    def __init__(self, folder: Path, device: str) -> None:
        self._device = device
        self._encoder = load_encoder(folder, device)

    @torch.inference_mode()
    def embed(self, ids: Any, lengths: Any) -> Any:  # noqa: ANN401
        """Vectors of padded ids; the arrays are numpy's."""
        tensors = [
            None if array is None else torch.tensor(array).to(self._device)
            for array in (ids, lengths)
        ]
        return self._encoder(*tensors).cpu().numpy()


def ray_actors(work: Work, sink: Sink) -> None:
    """Plain Ray actors, one a GPU, each with a few batches in flight."""
    on_gpu = work.devices[0] != "cpu"
    ray.init(
        address="local",
        num_gpus=len(work.devices) if on_gpu else 0,
        include_dashboard=False,
        log_to_driver=False,
    )
    try:
        remote = ray.remote(num_gpus=1 if on_gpu else 0)(PlainActor)
        device = "cuda" if on_gpu else "cpu"
        _feed([remote.remote(work.folder, device) for _ in work.devices], work, sink)
    finally:
        ray.shutdown()


def _feed(actors: Sequence[Any], work: Work, sink: Sink) -> None:
    waiting = iter(work.batches())
    flying: dict[Any, tuple[Any, Batch]] = {}

    def send(actor: Any) -> None:  # noqa: ANN401
        for batch in itertools.islice(waiting, 1):
            lengths = None if batch.lengths is None else batch.lengths.numpy()
            flying[actor.embed.remote(batch.ids.numpy(), lengths)] = actor, batch

    for _ in range(IN_FLIGHT):
        for actor in actors:
            send(actor)
    while flying:
        ready, _ = ray.wait(list(flying))
        actor, batch = flying.pop(ready[0])
        sink.take(batch.rows, ray.get(ready[0]))
        send(actor)


def static_split(work: Work, sink: Sink) -> None:
    """A process per GPU with an equal, contiguous share of the rows, fixed."""
    context = mp.get_context("spawn")
    start = context.Barrier(len(work.devices))
    answers = context.SimpleQueue()
    ranks = [
        context.Process(target=_rank, args=(work, rank, start, answers), daemon=True)
        for rank in range(len(work.devices))
    ]
    for process in ranks:
        process.start()
    for _ in ranks:
        part: Sink = Sink(work.stride, *answers.get())
        sink.done.extend(part.done)
        sink.kept.update(part.kept)
    for process in ranks:
        process.join()


def _rank(work: Work, rank: int, start: Barrier, answers: Any) -> None:  # noqa: ANN401
    device = work.devices[rank]
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // len(work.devices)))
    if device != "cpu":
        torch.cuda.set_device(device)
    share: Ints = np.array_split(np.arange(work.rows), len(work.devices))[rank]
    batches = rows_of.batches(work.data(), share, work.batch, work.seed)
    encoder, sink = load_encoder(work.folder, device), Sink(work.stride)
    start.wait()
    pump(encoder, batches, device, sink)
    answers.put((sink.done, sink.kept))


PEERS: dict[str, Callable[[Work, Sink], None]] = {
    "loop": loop,
    "dataparallel": data_parallel,
    "threads": threads,
    "ray": ray_actors,
    "static": static_split,
}
