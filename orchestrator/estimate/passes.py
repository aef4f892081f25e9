"""One forward pass as its parts see it: sizes, and the tape they write on."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.estimate.architecture import Architecture
from orchestrator.estimate.tape import Tape


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward pass over a batch of rows of one length.

    Attributes:
        arch: The model.
        batch: Rows; one if `packed`.
        length: Tokens a row, or all of them if `packed`.
        size: Bytes of a number of the run's dtype.
        cuda: It runs on a GPU.
        packed: Rows stand one behind the other without padding.
        cache: Keys and values are kept for generating.
        tape: What it takes is written here.
        kept: Blocks of the KV cache.
    """

    arch: Architecture
    batch: int
    length: int
    size: int
    cuda: bool
    packed: bool = False
    cache: bool = False
    tape: Tape = field(default_factory=Tape)
    kept: list[int] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Tokens in all rows."""
        return self.batch * self.length

    @property
    def hidden(self) -> int:
        """Numbers of the hidden states."""
        return self.tokens * self.arch.hidden

    @property
    def query(self) -> int:
        """Numbers of the queries."""
        return self.tokens * self.arch.heads * self.arch.head_dim

    @property
    def key(self) -> int:
        """Numbers of the keys."""
        return self.tokens * self.arch.kv_heads * self.arch.head_dim

    def new(self, numbers: int, size: int = 0) -> int:
        """A tensor in the run's dtype, or of numbers of `size` bytes."""
        return self.tape.new(numbers * (size or self.size))

    def free(self, *blocks: int) -> None:
        """Give tensors back."""
        self.tape.free(*blocks)
