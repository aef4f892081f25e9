from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
_NOT_OURS = {"build", "dist", "out", "node_modules"}


def pages() -> list[Path]:
    """Every markdown file of the project."""
    found = [path.relative_to(ROOT) for path in ROOT.rglob("*.md")]
    return sorted(path for path in found if not _hidden(path))


def text_of(name: str | Path) -> str:
    return (ROOT / name).read_text("utf-8")


def _hidden(path: Path) -> bool:
    folders = path.parts[:-1]
    return any(part.startswith(".") or part in _NOT_OURS for part in folders)
