from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.units import (
    GIB,
    KIB,
    MIB,
    TIB,
    format_count,
    format_duration,
    format_gib,
    format_memory,
    parse_duration,
    parse_memory,
)

AMOUNTS = st.integers(0, 1 << 60)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("20GiB", 20 * GIB),
        ("20GB", 20 * GIB),
        ("20G", 20 * GIB),
        ("20 gib", 20 * GIB),
        (" 20480MiB ", 20 * GIB),
        ("1.5T", 3 * TIB // 2),
        ("7K", 7 * KIB),
        ("512B", 512),
        ("0.1M", MIB // 10),
        ("9" * 18 + "T", (1 << 63) - 1),
    ],
)
def test_memory_is_read(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20",
        "GiB",
        "-1G",
        "1e3G",
        "20GiBs",
        "20 G iB",
        "1.G",
        "٣G",
        "9" * 5000 + "G",
    ],
)
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount of memory"):
        parse_memory(text)


@given(AMOUNTS)
def test_bytes_are_exact(amount: int) -> None:
    assert parse_memory(f"{amount}B") == amount


@given(
    st.integers(0, 1 << 20), st.sampled_from("KMGT"), st.sampled_from(["", "B", "iB"])
)
def test_scales_are_powers_of_two(number: int, scale: str, suffix: str) -> None:
    bits = 10 * ("KMGT".index(scale) + 1)
    assert parse_memory(f"{number}{scale}{suffix}") == number << bits


@given(AMOUNTS)
def test_printed_memory_is_read_back_within_its_last_digit(amount: int) -> None:
    printed = format_memory(amount)
    step = MIB if printed.endswith("MiB") else GIB / 10
    assert abs(parse_memory(printed) - amount) <= step / 2 + amount * 1e-9 + 1


@pytest.mark.parametrize(
    ("amount", "memory", "gib"),
    [
        (0, "0 MiB", "0.0"),
        (50 * MIB, "50 MiB", "0.0"),
        (GIB // 10, "0.1 GiB", "0.1"),
        (20 * GIB + GIB // 2, "20.5 GiB", "20.5"),
        (-3 * GIB, "-3.0 GiB", "-3.0"),
    ],
)
def test_memory_is_printed(amount: int, memory: str, gib: str) -> None:
    assert format_memory(amount) == memory
    assert format_gib(amount) == gib


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("1.8 s", 1.8),
        (" 0s ", 0),
        ("1d1h1m1s", 90061),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "90", "s", "m30", "30m1h", "-5s", "1.5h", "1h 30m", "٣s", "9" * 400],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (1.84, "1.8 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.7, "1m00s"),
        (166, "2m46s"),
        (3599.4, "59m59s"),
        (3599.7, "1h00m"),
        (3900, "1h05m"),
        (200_000, "55h33m"),
    ],
)
def test_a_duration_is_printed(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e9))
def test_a_printed_duration_is_read_back_within_its_last_digit(seconds: float) -> None:
    step = 0.1 if seconds < 9.95 else 1 if seconds < 3599.5 else 60
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= step


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_longer_duration_is_never_printed_as_a_shorter_one(
    a: float, b: float
) -> None:
    low, high = sorted((a, b))
    assert parse_duration(format_duration(low)) <= parse_duration(format_duration(high))


def test_counts_have_their_thousands_apart() -> None:
    assert format_count(12000) == "12,000"
