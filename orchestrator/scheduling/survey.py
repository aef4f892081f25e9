"""A snapshot as one demand sees it: where its replicas can go, and where not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.scheduling.board import Board, Cell, Spot, board_of
from orchestrator.scheduling.choose import one_by_one, spread_out
from orchestrator.scheduling.cut import Piece
from orchestrator.scheduling.filters import (
    Candidate,
    ever_fits,
    part_objection,
    refusal,
    refuse,
)
from orchestrator.scheduling.node_filters import node_objection
from orchestrator.scheduling.offers import offer
from orchestrator.scheduling.places import Places
from orchestrator.scheduling.plan import Demand, HostUse, Placement, Reason, Refusal
from orchestrator.scheduling.policy import Policy
from orchestrator.scheduling.request import request_of
from orchestrator.scheduling.shards import Shards
from orchestrator.scheduling.snapshot import Gpu, Node, Reservation, Snapshot, Uuid

_ITSELF = "this job"
_MANY = 1 << 20


@dataclass(frozen=True, slots=True)
class Survey:
    """What `schedule` asks of a snapshot on behalf of one demand."""

    demand: Demand
    policy: Policy
    board: Board
    held: Mapping[Uuid, tuple[Reservation, ...]]
    whole_nodes: Mapping[str, Node]

    @classmethod
    def of(cls, demand: Demand, snapshot: Snapshot, policy: Policy) -> Survey:
        """Lay the snapshot out."""
        if policy.evict_all_idle and demand.share:
            demand = replace(demand, share=False)
        return cls(
            demand,
            policy,
            board_of(snapshot, policy),
            snapshot.by_gpu(),
            {node.node_id: node for node in snapshot.nodes},
        )

    def spots(self) -> list[Spot]:
        """Where replicas could go at once, the best first; maybe more than wanted."""
        demand, key = self.demand, self.policy.key
        request = request_of(demand)
        if not request.job:
            request = replace(request, job=_ITSELF)
        places = Places(self.board, self.policy)
        if demand.gang == 1 and key is None:
            return spread_out(self.board, places, request, self._idle_offers())
        most = demand.minimum if demand.gang == 0 else _MANY
        return one_by_one(self.board, places, request, demand.maximum or most, key)

    def placements(self, spots: Iterable[Spot]) -> tuple[Placement, ...]:
        """A placement for each GPU; replicas are numbered as people count GPUs."""
        return tuple(
            replace(self._offer((spot.row, column)), replica=number, shard=shard)
            for number, spot in enumerate(_in_order(spots))
            for shard, column in enumerate(spot.columns)
        )

    def hosts(self, spots: Iterable[Spot]) -> tuple[HostUse, ...]:
        """What each replica takes of its node, if it says."""
        demand, nodes = self.demand, self.board.nodes
        if demand.gang and not (demand.cpu_milli or demand.ram_bytes):
            return ()
        return tuple(
            HostUse(
                replica=number,
                node_id=nodes[spot.row].node_id,
                node=nodes[spot.row].node,
                cpu_milli=demand.cpu_milli,
                ram_bytes=demand.ram_bytes,
            )
            for number, spot in enumerate(_in_order(spots))
        )

    def pieces(self, replicas: Iterable[Shards]) -> tuple[Placement, ...]:
        """A placement for each piece of each replica."""
        return tuple(
            self._piece(number, shard, cell, piece)
            for number, shards in enumerate(replicas)
            for shard, (cell, piece) in enumerate(
                zip(shards.cells, shards.pieces, strict=True)
            )
        )

    def shard_hosts(self, replicas: Iterable[Shards]) -> tuple[HostUse, ...]:
        """What each replica takes of each of its nodes, if it says."""
        demand, nodes = self.demand, self.board.nodes
        if not (demand.cpu_milli or demand.ram_bytes):
            return ()
        return tuple(
            HostUse(
                replica=number,
                node_id=nodes[row].node_id,
                node=nodes[row].node,
                cpu_milli=demand.cpu_milli,
                ram_bytes=demand.ram_bytes,
            )
            for number, shards in enumerate(replicas)
            for row in sorted({row for row, _ in shards.cells})
        )

    def left_out(self, spots: Collection[Spot]) -> list[Cell]:
        """The GPUs that can take no replica, by node and index."""
        if self.demand.gang == 0:
            return []
        able = {(spot.row, column) for spot in spots for column in spot.columns}
        return [
            (row, column)
            for row, gpus in enumerate(self.board.gpus)
            for column in range(len(gpus))
            if (row, column) not in able
        ]

    def refusals(self, cells: Iterable[Cell]) -> tuple[Refusal, ...]:
        """Why these GPUs can take none."""
        return tuple(self._refusal(cell) for cell in cells)

    def refusals_of_pieces(self, detail: str) -> tuple[Refusal, ...]:
        """Why each GPU can take no piece; `detail`: why those that could do not do."""
        return tuple(
            part_objection(self._candidate((row, column)))
            or refusal(self._candidate((row, column)), Reason.NODE_BUSY, detail)
            for row, gpus in enumerate(self.board.gpus)
            for column in range(len(gpus))
        )

    def _refusal(self, cell: Cell) -> Refusal:
        candidate = self._candidate(cell)
        known = refuse(candidate)
        if known is not None:
            return known
        row = cell[0]
        beside = [self._candidate((row, c)) for c in range(len(self.board.gpus[row]))]
        left = self.board.nodes[row]
        reason, detail = node_objection(
            self.demand,
            left,
            self.whole_nodes.get(left.node_id, left),
            free=sum(refuse(other) is None for other in beside),
            all_idle=sum(ever_fits(other) for other in beside),
        )
        return refusal(candidate, reason, detail)

    def _idle_offers(self) -> dict[Cell, Placement]:
        idle = {uuid for uuid, held in self.held.items() if any(r.idle for r in held)}
        if not idle:
            return {}
        return {
            (row, column): self._offer((row, column))
            for row, gpus in enumerate(self.board.gpus)
            for column, gpu in enumerate(gpus)
            if gpu.uuid in idle and refuse(self._candidate((row, column))) is None
        }

    def _offer(self, cell: Cell) -> Placement:
        return offer(self._candidate(cell), self.demand, self.policy)

    def _piece(self, number: int, shard: int, cell: Cell, piece: Piece) -> Placement:
        demand = replace(
            self.demand,
            weights_bytes=piece.weights_bytes,
            activation_bytes=piece.activation_bytes,
            context_bytes=piece.context_bytes,
            engine_key=_piece_key(self.demand, shard, piece),
        )
        gpu = self._gpu(cell)
        held = self.held.get(gpu.uuid, ())
        candidate = Candidate.of(gpu, held, demand, self.policy)
        return replace(
            offer(candidate, demand, self.policy),
            replica=number,
            shard=shard,
            weights_bytes=piece.weights_bytes,
            layers=piece.layers,
        )

    def _candidate(self, cell: Cell) -> Candidate:
        gpu = self._gpu(cell)
        return Candidate.of(gpu, self.held.get(gpu.uuid, ()), self.demand, self.policy)

    def _gpu(self, cell: Cell) -> Gpu:
        return self.board.gpus[cell[0]][cell[1]]


def _in_order(spots: Iterable[Spot]) -> list[Spot]:
    return sorted(spots, key=lambda spot: (spot.row, spot.columns))


def _piece_key(demand: Demand, shard: int, piece: Piece) -> str:
    """What is loaded: a piece serves only where the same piece is asked for."""
    return f"{demand.engine_key} part {shard} {piece.layers or piece.weights_bytes}"
