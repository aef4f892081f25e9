"""The two halves of an engine, and what passes between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from orchestrator.data.rows import RowFailure, Rows
from orchestrator.errors import OrchError
from orchestrator.estimate.known import Profile
from orchestrator.estimate.model import Shape
from orchestrator.scheduling.snapshot import DeviceKind
from orchestrator.spec.job import Model, Params

Column: TypeAlias = "npt.NDArray[Any] | list[Any]"
"""One value a row: an array whose first dimension is the rows, or a list."""
Columns: TypeAlias = "dict[str, Column]"


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Everything an engine needs to know; it is pickled to the process.

    Attributes:
        name: `embeddings` or `torch`.
        model: The job file's model section.
        params: The job file's params section.
        fields: Input fields a row's values come from, in order.
        kind: What it runs on.
        gpu: UUID of the GPU it must find itself on.
        memory_bytes: What it may use of the GPU, weights and context included.
        cores: CPU cores that are its own.
        code: The user's Python files, by their path in `folder`.
        folder: Where they come from; of a model, where its relative path starts.
        seed: Seeds what is random.
        env: The job's environment, for the user's module.
        budget: Tokens, or rows of a module, that a batch may hold within
            `memory_bytes`; 0: nobody has reckoned it.
    """

    name: str
    model: Model
    params: Params
    fields: tuple[str, ...]
    kind: DeviceKind
    gpu: str
    memory_bytes: int
    cores: int
    code: Mapping[str, bytes]
    folder: str
    seed: int = 0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    budget: int = 0


class Batch(Protocol):
    """Rows that go through the model together."""

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Positions of its rows in the prepared chunk."""
        ...

    def halves(self) -> tuple[Batch, Batch]:
        """The batch in two, to save memory or to find a bad row; len >= 2."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A chunk ready for the executor.

    Attributes:
        rows: The rows that go on (failed ones left out), in input order.
        batches: Together they hold every row once; longest rows first.
        failures: Rows that cannot go on.
    """

    rows: Rows
    batches: Sequence[Batch]
    failures: Sequence[RowFailure]


class Preparer(Protocol):
    """Rows -> batches, beside the GPU's process. Must not import torch."""

    def prepare(self, rows: Rows) -> Prepared:
        """Tokenise, check, sort by length and cut into batches."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the executor says once the model stands on its GPU.

    Attributes:
        description: For people: the model's name and dtype.
        weights_bytes: Memory of the weights.
        budget: Units of work a batch may hold (tokens for embeddings, rows for
            a module), found from free memory; the preparer cuts by it.
        device: The name of what it runs on.
        gpu: UUID of the GPU it found itself on; empty on a CPU device.
        seconds: Time it took.
    """

    description: str
    weights_bytes: int
    budget: int
    device: str
    gpu: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """The most memory that an engine has held on its GPU, and what ran meanwhile.

    Attributes:
        bytes: CUDA's context included; 0 on a CPU device, where it is not measured.
        shape: The largest batch that ran; `None`: none yet.
        settled: Larger ones were tried and were no faster.
        profile: What small batches of a user's own module took, once known.
    """

    bytes: int = 0
    shape: Shape | None = None
    settled: bool = False
    profile: Profile | None = None


class Executor(Protocol):
    """Owns the model on its GPU. Lives in the engine's process."""

    def load(self) -> Loaded:
        """Put the model on the GPU and warm it up.

        Raises:
            OrchError: E102 or E103, with the cause.
        """
        ...

    def launch(self, batch: Batch) -> Callable[[], Columns]:
        """Start a batch; the result, called later, waits for its columns.

        Launching must not wait for the GPU, so that the next batch is queued
        behind this one before it ends.
        """
        ...

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether this error means that the GPU had no memory left."""
        ...

    def too_large(self, error: BaseException) -> OrchError:
        """E104 for that error: what was reserved, held and asked for."""
        ...

    def trim(self) -> None:
        """Give unused cached memory back."""
        ...

    def held(self) -> Held:
        """The most memory it has held on its GPU so far."""
        ...
