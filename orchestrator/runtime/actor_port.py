"""A replica's actor as the port through which the gather loop sees it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from orchestrator.data.rows import Chunk
from orchestrator.errors import Code
from orchestrator.runtime.replica import ChunkResult, Replica
from orchestrator.runtime.translate import translated

if TYPE_CHECKING:
    from ray.actor import ActorProxy


class ActorPort:
    """A replica's actor as the gather loop's port."""

    def __init__(
        self,
        name: str,
        handle: ActorProxy[Replica],
        fields: tuple[str, ...],
        id_field: str | None,
    ) -> None:
        self.name = name
        self._handle = handle
        self._fields = fields
        self._id_field = id_field

    def run(self, chunk: Chunk) -> Future[ChunkResult]:
        """Start one chunk."""
        answer: Future[ChunkResult] = Future()
        ref = self._handle.run.remote(chunk, self._fields, self._id_field)
        ref.future().add_done_callback(lambda done: _pass_on(done, answer))
        return answer


def _pass_on(done: Future[ChunkResult], answer: Future[ChunkResult]) -> None:
    try:
        with translated(Code.GPU_LOST, "the replica was lost"):
            answer.set_result(done.result())
    except Exception as error:  # noqa: BLE001 - unanswered, the job would wait for ever
        answer.set_exception(error)
