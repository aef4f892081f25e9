"""What a replica and its engine process say to each other. Pickled, local only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from orchestrator.engines.base import Batch, Columns, EngineSpec, Held, Loaded
from orchestrator.errors import Code, Fault


@dataclass(frozen=True, slots=True)
class Begin:
    """Write to another log from here on: another job's rows follow.

    Attributes:
        output: The descriptor to write to. It travels right behind the message, and
            has its number only in the engine's process.
    """

    output: int = -1


@dataclass(frozen=True, slots=True)
class Load:
    """Load the model; answered by `Loaded` or `Fault`.

    Attributes:
        spec: What to load.
        environment: Set over the process's own before anything is imported.
        log: Where people find what it writes.
    """

    spec: EngineSpec
    environment: dict[str, str]
    log: str


@dataclass(frozen=True, slots=True)
class Run:
    """Run the batches of one prepared chunk; answered by `Output`."""

    number: int
    rows: int
    batches: Sequence[Batch]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row on which the model raised."""

    position: int
    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Output:
    """The columns of one chunk, in the order of its prepared rows.

    Attributes:
        number: The chunk's number in `Run`.
        columns: One value for each row that went well.
        bad: Rows that did not; they have no place in the columns.
        splits: Batches that were halved for want of memory.
        held: The most memory the engine has held so far.
    """

    number: int
    columns: Columns
    bad: Sequence[BadRow] = ()
    splits: int = 0
    held: Held = field(default_factory=Held)


@dataclass(frozen=True, slots=True)
class Hello:
    """The first word of a new engine process."""

    pid: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the process, freeing the GPU."""

    reason: str = field(default="")


ToEngine: TypeAlias = Begin | Load | Run | Stop
FromEngine: TypeAlias = Hello | Loaded | Fault | Output
