"""Whether an attempt that failed is followed by another one, and when."""

from __future__ import annotations

from orchestrator.lifecycle.causes import RETRY_WORDS, Cause
from orchestrator.spec.header import Retry

NEVER = frozenset({Cause.CUDA_OOM, Cause.CONFIG_ERROR})
"""With the same settings these end the same way, whatever `exit_codes` says."""


def next_attempt(
    retry: Retry, cause: Cause, exit_code: int | None, attempt: int
) -> float | None:
    """Seconds to wait before the next attempt; `None`: there is none.

    The wait doubles from one end of `backoff` to the other and has no chance in it:
    `min(most, first * 2 ** (attempt - 1))`.

    Args:
        retry: The job file's.
        cause: Why the attempt ended.
        exit_code: What its command returned, if it is one that returned.
        attempt: Which attempt ended: 1, 2, ..., counted from the last time that
            somebody asked for one (at first: by submitting the job).
    """
    if attempt > retry.max or not _worth_it(retry, cause, exit_code):
        return None
    # No more doublings than a float can take; the cap is reached long before.
    doublings = min(attempt - 1, 64)
    return min(retry.backoff.most_s, retry.backoff.first_s * 2.0**doublings)


def _worth_it(retry: Retry, cause: Cause, exit_code: int | None) -> bool:
    if cause in NEVER:
        return False
    listed = exit_code is not None and exit_code in retry.exit_codes
    return listed or RETRY_WORDS.get(cause) in retry.on
