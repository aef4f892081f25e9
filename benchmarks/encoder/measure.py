"""What every set-up reports, and the one definition of its rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.encoder.data import Ints

Vectors: TypeAlias = npt.NDArray[np.float32]
Done: TypeAlias = tuple[float, int]
"""When rows were finished (monotonic seconds), and how many."""

WARM_SHARE = 0.15
SAMPLE_ROWS = 256
SAME_COSINE = 0.999


@dataclass(slots=True)
class Sink:
    """Where a set-up puts what it has finished. Safe for threads.

    Attributes:
        stride: Every so many rows one is kept for comparison.
        done: Finished batches.
        kept: Vectors by row.
    """

    stride: int
    done: list[Done] = field(default_factory=list)
    kept: dict[int, Vectors] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, rows: Ints, vectors: npt.NDArray[np.generic]) -> None:
        """A finished batch; `vectors` is `[rows, hidden]`."""
        now = time.monotonic()
        wanted = (rows % self.stride == 0) & (rows < self.stride * SAMPLE_ROWS)
        with self.lock:
            self.done.append((now, len(rows)))
            for i in np.flatnonzero(wanted):
                self.kept[int(rows[i])] = vectors[i].astype(np.float32)


def sampled(stride: int, rows: int) -> Ints:
    """The rows that are kept for comparison."""
    return np.arange(0, min(rows, stride * SAMPLE_ROWS), stride)


def steady_rate(done: Sequence[Done]) -> float:
    """Rows a second from the first event with 15 % of the rows done to the last.

    The tail counts: a set-up whose GPUs end at different times pays for it.

    Raises:
        ValueError: There is nothing to measure after the warm part.
    """
    ordered = sorted(done)
    finished = np.cumsum([rows for _, rows in ordered])
    warm = int(np.argmax(finished >= WARM_SHARE * finished[-1])) if ordered else 0
    if len(ordered) - warm < 2 or ordered[-1][0] <= ordered[warm][0]:
        raise ValueError(f"too few batches to measure: {len(ordered)}")
    seconds = ordered[-1][0] - ordered[warm][0]
    return float(finished[-1] - finished[warm]) / seconds


def least_cosine(ours: Vectors, theirs: Vectors) -> float:
    """The worst agreement of two sets of vectors `[rows, hidden]`, row by row."""
    return float(_cosines(ours, theirs).min())


def least_centred_cosine(ours: Vectors, theirs: Vectors) -> float:
    """The same without what all rows share.

    Random weights give vectors that are all alike; only what is left after their
    mean is taken away tells one row from another.
    """
    mean = theirs.mean(0)
    return float(_cosines(ours - mean, theirs - mean).min())


def _cosines(ours: Vectors, theirs: Vectors) -> npt.NDArray[np.float64]:
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    product = (a * b).sum(1)
    cosines: npt.NDArray[np.float64] = product / (
        np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    )
    return cosines
