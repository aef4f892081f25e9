from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client.story import Usage
from orchestrator.render.history import (
    BY,
    history_csv,
    history_table,
    shares,
    total_line,
)
from tests.client import documents

USAGE = [
    Usage.from_json(entry)
    for entry in (
        documents.usage(1, "ann", 3600.0),
        documents.usage(1, "ann", 1800.0, gpu="local:1"),
        documents.usage(2, "bob, jr.", 9000.0, name="long"),
        documents.usage(3, "ann", 0.0, model="", kind="command"),
    )
]


def test_the_most_hours_come_first() -> None:
    assert history_table(shares(USAGE, "user"), "user") == [
        "USER      JOBS  GPU-HOURS",
        "bob, jr.     1       2.50",
        "ann          2       1.50",
    ]
    assert history_table(shares(USAGE, "model"), "model")[2] == (
        "-                    1       0.00"
    )
    assert total_line(shares(USAGE, "job"), "2026-01-01") == (
        "4.00 GPU-hours of 3 jobs since 2026-01-01"
    )


def test_csv_quotes_what_must_be() -> None:
    assert history_csv(shares(USAGE, "user"), "user").splitlines() == [
        "user,jobs,gpu_seconds,gpu_hours",
        '"bob, jr.",1,9000.000,2.500000',
        "ann,2,5400.000,1.500000",
    ]


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from("ab"), st.integers(0, 10**6))
    ),
    st.sampled_from(sorted(BY)),
)
def test_no_second_is_lost_or_counted_twice(
    entries: list[tuple[int, str, int]], by: str
) -> None:
    usage = [
        Usage.from_json(documents.usage(number, user, float(seconds)))
        for number, user, seconds in entries
    ]
    summed = shares(usage, by)
    assert sum(share.gpu_seconds for share in summed) == sum(e[2] for e in entries)
    assert all(share.jobs >= 1 for share in summed)
