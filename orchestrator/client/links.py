"""Symbolic links in a folder that is packed and unpacked elsewhere."""

from __future__ import annotations

import os
from pathlib import Path


def target_inside(root: Path, link: Path) -> str | None:
    """What a link must say to lead to the same place once `root` is elsewhere.

    Args:
        root: Without links in it.
        link: Somewhere below.

    Returns:
        The target from the link's own folder; `None` if it leads out of `root`.
    """
    real = Path(os.path.realpath(link))
    if not real.is_relative_to(root):
        return None
    said = os.readlink(link)  # noqa: PTH115 - the text, not a path made from it
    plain = os.path.normpath(link.parent / said)
    if not Path(said).is_absolute() and Path(plain).is_relative_to(root):
        return said
    return os.path.relpath(real, link.parent)
