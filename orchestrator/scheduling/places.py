"""The places of a board in the order of a policy, without looking at all of it again.

The scores of a request are kept. When it comes again, only the nodes that were taken
from since then are scored anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.scheduling.board import Board, Ints, Spot
from orchestrator.scheduling.fits import fitting
from orchestrator.scheduling.fragmentation import fragmentation, fullest
from orchestrator.scheduling.peers import peer_groups
from orchestrator.scheduling.policy import Policy, Scoring
from orchestrator.scheduling.request import Request
from orchestrator.scheduling.scores import (
    Floats,
    Look,
    best_fit,
    leftovers,
    no_preference,
    worst_fit,
)
from orchestrator.scheduling.usefulness import Usefulness

KEPT = 1024
"""Requests whose scores are remembered."""
PACK_CPU, PACK_GPU = 45.0, 70.0
"""What best fit weighs beside the fragmentation gradient, in thousandths of a GPU."""
_UNFIT = -np.inf
_PEERS = 1e15
"""A gang goes where its GPUs are linked, whatever the score says."""


@dataclass(slots=True)
class _Ranking:
    """The best score of every row for one request, and the GPU that it is for."""

    best: Floats
    column: NDArray[np.int16]
    seen: int
    """How many of the board's changes it knows."""


class Places:
    """Finds the best place for a request. Take it from the board afterwards."""

    def __init__(self, board: Board, policy: Policy) -> None:
        self._board = board
        self._scoring = policy.scoring
        self._useful = Usefulness(policy.mix, board) if policy.mix else None
        self._rankings: dict[Request, _Ranking] = {}

    def best(self, request: Request, key: int | None = None) -> Spot | None:
        """The best place for one replica, or `None` if it fits nowhere now.

        Args:
            request: What it asks for.
            key: Decides between equals; `None`: the first node, the first GPU.
        """
        ranking = self._ranking(request)
        row = _first(ranking.best) if key is None else _any(ranking.best, key)
        if row is None:
            return None
        if request.gang == 0:
            return Spot(row)
        if request.gang == 1 and key is None:
            return Spot(row, (int(ranking.column[row]),))
        return self._on(row, request, key)

    def look(self, request: Request, rows: Ints | None = None) -> tuple[Look, Floats]:
        """The score of every way to serve a request; minus infinity where it cannot."""
        if rows is None:
            rows = np.arange(len(self._board.nodes))
        look = Look(self._board, rows, request, fitting(self._board, rows, request))
        fits = look.fits
        if request.gang > 1:
            fits = np.any(fits, axis=1, keepdims=True)
        scores = np.where(fits, self._score(look), _UNFIT)
        if request.gang > 1 and self._board.linked:
            linked = [bool(self._peers(look, at)) for at in range(len(rows))]
            scores += np.where(linked, _PEERS, 0.0)[:, None]
        return look, scores

    def _ranking(self, request: Request) -> _Ranking:
        ranking = self._rankings.get(request)
        changed = self._board.changed
        if ranking is None:
            _, scores = self.look(request)
            column = scores.argmax(axis=1).astype(np.int16)
            ranking = _Ranking(scores.max(axis=1), column, len(changed))
            self._remember(request, ranking)
        elif ranking.seen < len(changed):
            rows = np.array(list(set(changed[ranking.seen :])), np.int64)
            _, scores = self.look(request, rows)
            ranking.best[rows] = scores.max(axis=1)
            ranking.column[rows] = scores.argmax(axis=1)
            ranking.seen = len(changed)
        return ranking

    def _remember(self, request: Request, ranking: _Ranking) -> None:
        if len(self._rankings) >= KEPT:
            del self._rankings[next(iter(self._rankings))]
        self._rankings[request] = ranking

    def _on(self, row: int, request: Request, key: int | None) -> Spot:
        look, scores = self.look(request, np.array([row]))
        if request.gang == 1:
            column = _any(scores[0], mixed(key or 0))
            return Spot(row, () if column is None else (column,))
        columns = self._peers(look, 0) or np.flatnonzero(fullest(look)[0]).tolist()
        return Spot(row, tuple(columns))

    def _peers(self, look: Look, at: int) -> list[int]:
        """GPUs for a gang that reach each other over NVLink, if there are enough."""
        gang, row = look.request.gang, int(look.rows[at])
        cells = [(row, column) for column in np.flatnonzero(look.fits[at]).tolist()]
        groups = peer_groups(self._board, cells)
        found = next((group for group in groups if len(group) >= gang), [])
        return [column for _, column in found[:gang]]

    def _score(self, look: Look) -> Floats:
        match self._scoring:
            case Scoring.RANDOM:
                return no_preference(look)
            case Scoring.BEST_FIT:
                return best_fit(look)
            case Scoring.WORST_FIT:
                return worst_fit(look)
            case Scoring.FGD:
                return self._published(look)
            case Scoring.PACKED_FGD:
                return self._packed(look)

    def _published(self, look: Look) -> Floats:
        if self._useful is None:
            return no_preference(look)
        gradient = fragmentation(look, self._useful)
        return np.floor(100 / (1 + np.exp(-gradient / 1000)))

    def _packed(self, look: Look) -> Floats:
        if self._useful is None:
            return best_fit(look) if look.request.share else worst_fit(look)
        cpu, gpu = leftovers(look)
        weight = (PACK_CPU * cpu + PACK_GPU * gpu)[:, None]
        return fragmentation(look, self._useful) - weight


def mixed(key: int) -> int:
    """Another number from a number, as if by chance: the finaliser of SplitMix64.

    G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014.
    """
    mask = (1 << 64) - 1
    key = (key + 0x9E3779B97F4A7C15) & mask
    key = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & mask
    key = ((key ^ (key >> 27)) * 0x94D049BB133111EB) & mask
    return key ^ (key >> 31)


def _first(scores: Floats) -> int | None:
    if not len(scores):
        return None
    row = int(scores.argmax())
    return None if scores[row] == _UNFIT else row


def _any(scores: Floats, key: int) -> int | None:
    """One of the best, by the key."""
    if not len(scores) or scores.max() == _UNFIT:
        return None
    equals = np.flatnonzero(scores == scores.max())
    return int(equals[mixed(key) % len(equals)])
