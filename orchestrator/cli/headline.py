"""A job in one line, before it is queued."""

from __future__ import annotations

from orchestrator.spec.checked import CheckedJob


def headline(job: CheckedJob, output: str = "") -> str:
    """`embed.yaml  batch  all-MiniLM-L6-v2  → ./out/42`.

    Args:
        job: The job.
        output: Where the results go; empty: as the file has it, the id still open.
    """
    parts = (str(job.path), job.kind, job.model, f"→ {output or job.output}")
    return "  ".join(part for part in parts if part)
