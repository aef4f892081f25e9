"""The queue's benchmark, tiny, and its table."""

from __future__ import annotations

import json

import pytest

from benchmarks.queue import main
from benchmarks.queueing.table import Measured, markdown, quantile


@pytest.mark.ray
@pytest.mark.timeout(120)
def test_the_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    # Whether the limits are kept depends on what else this machine does just now.
    main(["--runs", "1", "--jobs", "3", "--queued", "200", "--no-peers", "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    units = ["s", "jobs/s", "jobs/s", "ms", "ms", "MiB", "s"]
    assert [row["unit"] for row in rows] == units
    assert all(value > 0 for row in rows for value in row["values"])


@pytest.mark.parametrize(
    ("unit", "values", "kept"),
    [
        ("s", (0.4, 0.5, 9.0), True),
        ("s", (0.4, 0.6, 0.7), False),
        ("jobs/s", (60.0,), True),
        ("jobs/s", (40.0,), False),
        ("s", (), False),
    ],
)
def test_a_limit_is_for_the_median(
    unit: str, values: tuple[float, ...], kept: bool
) -> None:
    limit = 50 if unit == "jobs/s" else 0.5
    assert Measured("case", "orch", unit, values, limit).kept is kept


def test_the_table_shows_a_quantile_where_one_is_asked_for() -> None:
    values = tuple(float(n) for n in range(1, 201))
    assert [quantile(values, part) for part in (0.5, 0.99, 1.0)] == [100, 198, 200]
    rows = (
        Measured("wait", "orch", "ms", values, 20, upper=0.99),
        Measured("wait", "peer", "s", note="is not installed"),
    )
    assert markdown(rows).splitlines()[2:] == [
        "| wait | orch | 100.0 ms | 198.0 ms (p99) | 200 | 20.0 ms |  |",
        "| wait | peer | - | - | 0 |  | is not installed |",
    ]
