"""What can go wrong, as data: every fault has a code, a place, numbers and a way out.

OrchError
    The one exception class of the package. It carries one `Fault`, or several when
    a document has several mistakes. Catch it at the edge and render its faults.

Codes (docs/errors.md explains each):
    E101-E106   GPUs            E201-E205   the job file
    E301-E304   control         E401-E404   the job's own code and rows
    E501-E503   the cluster     E900        a bug of ours
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Every error code there is."""

    NOT_ENOUGH_GPU_MEMORY = "E101"
    GPU_FAILED_TO_INITIALISE = "E102"
    MODEL_FAILED_TO_LOAD = "E103"
    OUT_OF_GPU_MEMORY = "E104"
    GPU_LOST = "E105"
    GPU_MEMORY_NOT_RELEASED = "E106"
    UNKNOWN_FIELD = "E201"
    MISSING_FIELD = "E202"
    BAD_VALUE = "E203"
    FILE_NOT_FOUND = "E204"
    UNREADABLE_YAML = "E205"
    NO_SUCH_JOB = "E301"
    CONTROLLER_UNREACHABLE = "E302"
    NOT_ALLOWED = "E303"
    WRONG_STATE = "E304"
    USER_CODE_RAISED = "E401"
    EXITED_NON_ZERO = "E402"
    TIME_LIMIT = "E403"
    TOO_MANY_FAILED_ROWS = "E404"
    NODE_LOST = "E501"
    RUNNER_LOST = "E502"
    RENDEZVOUS_FAILED = "E503"
    BUG = "E900"

    @property
    def slug(self) -> str:
        """The code's name in words, as in `error[E101 not-enough-gpu-memory]`."""
        return self.name.lower().replace("_", "-")


EXIT_OK = 0
EXIT_JOB_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_NOT_NOW = 4
EXIT_NEVER = 5
EXIT_NO_SUCH_JOB = 6
EXIT_CANCELLED = 7
EXIT_NOT_FINISHED = 8
EXIT_TIME_LIMIT = 9
EXIT_LOST = 10
EXIT_ROWS_FAILED = 11
EXIT_BUG = 70
EXIT_INTERRUPTED = 130

_EXIT_CODES: dict[Code, int] = {
    Code.UNKNOWN_FIELD: EXIT_USAGE,
    Code.MISSING_FIELD: EXIT_USAGE,
    Code.BAD_VALUE: EXIT_USAGE,
    Code.FILE_NOT_FOUND: EXIT_USAGE,
    Code.UNREADABLE_YAML: EXIT_USAGE,
    Code.NO_SUCH_JOB: EXIT_NO_SUCH_JOB,
    Code.CONTROLLER_UNREACHABLE: EXIT_UNREACHABLE,
    Code.NOT_ALLOWED: EXIT_UNREACHABLE,
    Code.WRONG_STATE: EXIT_USAGE,
    Code.NOT_ENOUGH_GPU_MEMORY: EXIT_NEVER,
    Code.TOO_MANY_FAILED_ROWS: EXIT_ROWS_FAILED,
    Code.TIME_LIMIT: EXIT_TIME_LIMIT,
    Code.NODE_LOST: EXIT_LOST,
    Code.RUNNER_LOST: EXIT_LOST,
    Code.BUG: EXIT_BUG,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        code: Its entry in the table of codes.
        message: One sentence, with the names and values that matter.
        facts: Further lines: numbers, places, who holds what. May be empty.
        fix: What the user can do about it. May be empty.
        at: Where it stands, as `file:line:column`, or empty.
        excerpt: The lines of the document around it, with a caret, or empty.
    """

    code: Code
    message: str
    facts: tuple[str, ...] = ()
    fix: str = ""
    at: str = ""
    excerpt: tuple[str, ...] = ()
    exits: int = 0
    """The process exit code, where it is not the one of the code."""
    needed_bytes: int = 0
    """Of a GPU whose memory ran out: what would have been enough; 0: not known."""

    @property
    def exit_code(self) -> int:
        """The process exit code that stands for this fault."""
        return self.exits or _EXIT_CODES.get(self.code, EXIT_JOB_FAILED)

    def to_json(self) -> dict[str, Any]:
        """The fault as JSON, as it travels over HTTP and into the store."""
        data = {**asdict(self), "code": str(self.code), "exit_code": self.exit_code}
        del data["exits"]
        if not self.needed_bytes:
            del data["needed_bytes"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        """The inverse of `to_json`."""
        code = Code(data["code"])
        return cls(
            code=code,
            message=data["message"],
            facts=tuple(data.get("facts", ())),
            fix=data.get("fix", ""),
            at=data.get("at", ""),
            excerpt=tuple(data.get("excerpt", ())),
            exits=_own_exit(code, data.get("exit_code", 0)),
            needed_bytes=data.get("needed_bytes", 0),
        )


def _own_exit(code: Code, exit_code: int) -> int:
    return 0 if exit_code == _EXIT_CODES.get(code, EXIT_JOB_FAILED) else exit_code


@dataclass(unsafe_hash=True)
class OrchError(Exception):
    """Raised for everything a user should read about; carries the faults."""

    faults: tuple[Fault, ...] = field(default=())

    @classmethod
    def of(
        cls,
        code: Code,
        message: str,
        *,
        facts: tuple[str, ...] = (),
        fix: str = "",
        at: str = "",
    ) -> OrchError:
        """An error with a single fault."""
        return cls((Fault(code, message, facts, fix, at),))

    @property
    def fault(self) -> Fault:
        """The first fault, which decides the exit code."""
        return self.faults[0]

    def __str__(self) -> str:
        """The faults' codes and messages, one a line."""
        return "\n".join(f"{f.code} {f.message}" for f in self.faults)

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions cross process borders; the faults go with them."""
        return (type(self), (self.faults,))
