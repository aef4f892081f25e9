"""Plain tables: aligned with spaces, never cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len

GAP = "  "


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[str] = (),
) -> list[str]:
    """The lines of a table.

    Args:
        header: The columns' names.
        rows: A cell for each of them.
        right: Names of the columns that are flush right.
    """
    every = [header, *rows]
    columns = [
        _column(cells, flush_right=cells[0] in right)
        for cells in zip(*every, strict=True)
    ]
    return [GAP.join(line).rstrip() for line in zip(*columns, strict=True)]


def pairs(items: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values below each other; an empty name goes on with the last."""
    names = _column([name for name, _value in items], flush_right=False)
    return [
        f"{name}{GAP}{value}".rstrip()
        for name, (_name, value) in zip(names, items, strict=True)
    ]


def _column(cells: Sequence[str], *, flush_right: bool) -> list[str]:
    width = max(map(cell_len, cells))
    spaces = [" " * (width - cell_len(cell)) for cell in cells]
    if flush_right:
        return [space + cell for cell, space in zip(cells, spaces, strict=True)]
    return [cell + space for cell, space in zip(cells, spaces, strict=True)]
