"""When a batch fails: halve it, until it fits or the one bad row is found."""

from __future__ import annotations

import traceback

from orchestrator.engines import cuda
from orchestrator.engines.assemble import Assembly
from orchestrator.engines.base import Batch, Executor
from orchestrator.engines.messages import BadRow
from orchestrator.errors import Code, OrchError


def rescue(
    executor: Executor, batch: Batch, error: Exception, assembly: Assembly
) -> None:
    """Run the rows of a failed batch in smaller ones, and name those that fail.

    Halving is bounded by the batch's size: a batch of n rows costs at most
    2 n further runs, and log2(n) for a single bad row's neighbours.

    Raises:
        OrchError: E104, a single row needs more memory than was reserved: the job
            needs more, the row may be good.
    """
    out_of_memory = executor.is_out_of_memory(error)
    if out_of_memory:
        assembly.splits += 1
        # The frames it passed through hold the batch's tensors.
        traceback.clear_frames(error.__traceback__)
        executor.trim()
    if len(batch.rows) == 1:
        if out_of_memory:
            raise executor.too_large(error) from error
        assembly.fail(_bad_row(batch, error))
        return
    for half in batch.halves():
        try:
            assembly.add(half.rows, executor.launch(half)())
        except Exception as failure:
            if cuda.is_broken(failure):
                raise
            rescue(executor, half, failure, assembly)


def _bad_row(batch: Batch, error: Exception) -> BadRow:
    position = int(batch.rows[0])
    if isinstance(error, OrchError):
        return BadRow(position, error.fault.code, error.fault.message)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({last[0].filename}:{last[0].lineno})" if last else ""
    message = f"{type(error).__name__}: {error}{where}"
    return BadRow(position, Code.USER_CODE_RAISED, message)
