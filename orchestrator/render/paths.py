"""Paths as people like to read and copy them."""

from __future__ import annotations

from pathlib import Path


def short_path(path: str | Path) -> str:
    """Relative to where the user is if it lies below, else as it is."""
    absolute = Path(path)
    try:
        return f"./{absolute.relative_to(Path.cwd())}"
    except ValueError:
        return str(absolute)
