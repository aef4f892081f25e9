"""The mix of requests that a cluster usually gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.scheduling.request import Request

COVERED_PERCENT = 95


@dataclass(frozen=True, slots=True)
class Typical:
    """A request that is often made, and its share of all requests."""

    request: Request
    share: float


def typical(requests: Iterable[Request]) -> tuple[Typical, ...]:
    """The most frequent requests that make up 95 % of all, the first of equals by size.

    Their shares sum to 1. RAM, exclusions and the job do not tell requests apart.
    """
    counts = Counter(map(_plain, requests))
    wanted = counts.total() * COVERED_PERCENT
    kept: list[tuple[Request, int]] = []
    covered = 0
    for request, count in sorted(counts.items(), key=_by_frequency):
        if covered * 100 >= wanted:
            break
        kept.append((request, count))
        covered += count
    return tuple(Typical(request, count / covered) for request, count in kept)


def _plain(request: Request) -> Request:
    return Request(
        gang=request.gang,
        gpu_bytes=request.gpu_bytes,
        share=request.share,
        cpu_milli=request.cpu_milli,
        ram_bytes=0,
        gpu_type=request.gpu_type,
    )


def _by_frequency(item: tuple[Request, int]) -> tuple[int, int, int, int, object]:
    request, count = item
    size = (request.cpu_milli, request.gang, request.gpu_bytes, request.gpu_type)
    return (-count, *size)
