"""Several jobs of one submit: each after those it names."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Code, Fault, OrchError
from orchestrator.spec.load import LoadedJob, load_jobs_text
from orchestrator.spec.order import order_jobs


def submit(*jobs: tuple[str, str]) -> list[LoadedJob]:
    """Jobs by name and by what stands in `after`."""
    text = "---\n".join(
        f"version: 1\nkind: command\nname: {name}\nrun: x\nafter: [{after}]\n"
        for name, after in jobs
    )
    return load_jobs_text(text, "j.yaml")


def names(jobs: list[LoadedJob]) -> list[str]:
    return [loaded.job.name for loaded in order_jobs(jobs)]


def refused(jobs: list[LoadedJob]) -> list[Fault]:
    with pytest.raises(OrchError) as caught:
        order_jobs(jobs)
    assert {fault.code for fault in caught.value.faults} == {Code.BAD_VALUE}
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("jobs", "order"),
    [
        ([("a", ""), ("b", ""), ("c", "")], "abc"),
        ([("a", "c"), ("b", ""), ("c", "")], "bca"),
        ([("a", "b"), ("b", "c"), ("c", "41")], "cba"),
        ([("a", "'b:any', c"), ("b", ""), ("c", "b"), ("d", "")], "bcad"),
        ([], ""),
    ],
)
def test_a_job_comes_after_those_it_names(
    jobs: list[tuple[str, str]], order: str
) -> None:
    assert names(submit(*jobs) if jobs else []) == list(order)


@given(st.permutations("abcdef"), st.randoms(use_true_random=False))
def test_any_jobs_without_a_circle_have_an_order(
    order: list[str], random: Random
) -> None:
    """Each waits for some of those before it; then they are told in another order."""
    after = {
        name: [other for other in order[:n] if random.random() < 0.5]
        for n, name in enumerate(order)
    }
    found = names(submit(*[(name, ", ".join(after[name])) for name in "abcdef"]))
    assert sorted(found) == sorted(order)
    for name in order:
        assert all(found.index(other) < found.index(name) for other in after[name])


@pytest.mark.parametrize(
    ("jobs", "at", "circle"),
    [
        ([("a", "a")], "j.yaml:5:9", "'a' → 'a'"),
        ([("a", "41, b"), ("b", "a")], "j.yaml:5:13", "'a' → 'b' → 'a'"),
        (
            [("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")],
            "j.yaml:11:9",
            "'b' → 'c' → 'd' → 'b'",
        ),
    ],
)
def test_jobs_that_wait_for_each_other_are_named(
    jobs: list[tuple[str, str]], at: str, circle: str
) -> None:
    (fault,) = refused(submit(*jobs))
    assert fault.message == f"these jobs wait for each other: {circle}"
    assert fault.at == at
    assert fault.excerpt


def test_a_name_that_no_job_has_is_told_with_the_nearest() -> None:
    first, second = refused(submit(("prepare", ""), ("a", "prepar, 7"), ("b", "x")))
    assert first.message == (
        "no jobs of this submit are named 'prepar'; did you mean 'prepare'?"
    )
    assert first.fix == "The others are: prepare, b"
    assert (first.at, second.at) == ("j.yaml:11:9", "j.yaml:17:9")


def test_a_name_that_two_jobs_have_is_not_clear() -> None:
    (fault,) = refused(submit(("a", ""), ("a", ""), ("b", "a")))
    assert fault.message == "2 jobs of this submit are named 'a'"
    assert names(submit(("a", ""), ("a", ""), ("b", ""))) == ["a", "a", "b"]


def test_jobs_of_several_files_may_name_each_other(tmp_path: Path) -> None:
    text = "version: 1\nkind: command\nrun: x\n"
    jobs = [
        *load_jobs_text(f"{text}after: [b]\n", "a.yaml", folder=tmp_path),
        *load_jobs_text(text, "b.yaml", folder=tmp_path),
    ]
    assert names(jobs) == ["b", "a"]


def test_a_thousand_jobs_in_a_row_are_ordered() -> None:
    jobs = submit(*[(f"j{n}", f"j{n + 1}" if n < 999 else "") for n in range(1000)])
    assert names(jobs) == [f"j{n}" for n in reversed(range(1000))]
