from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.render.table import pairs, table


def test_columns_are_aligned_and_numbers_flush_right() -> None:
    rows = [["a", "12,000"], ["longer", "7"]]
    assert table(["NAME", "ROWS"], rows, right=["ROWS"]) == [
        "NAME      ROWS",
        "a       12,000",
        "longer       7",
    ]


def test_an_empty_table_is_its_header() -> None:
    assert table(["ID", "NAME"], []) == ["ID  NAME"]


def test_pairs_go_on_below_an_empty_name() -> None:
    assert pairs([("JOB", "42"), ("REPLICAS", "0"), ("", "1")]) == [
        "JOB       42",
        "REPLICAS  0",
        "          1",
    ]


_CELLS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)


@given(st.lists(st.tuples(_CELLS, _CELLS), max_size=5))
def test_no_cell_is_ever_cut_and_columns_start_together(
    rows: list[tuple[str, str]],
) -> None:
    lines = table(["A", "B"], rows)
    start = max(cell_len(first) for first, _second in [("A", "B"), *rows]) + 2
    for line, (first, second) in zip(lines[1:], rows, strict=True):
        assert line.startswith(first)
        assert line.endswith(second)
        assert cell_len(line) == start + cell_len(second)
