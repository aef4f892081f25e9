"""The wire between a controller and its cluster: everything is pickled, as by Ray."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

from orchestrator.errors import Code, OrchError
from tests.controller.fake_world import World

T = TypeVar("T")
P = ParamSpec("P")
W = TypeVar("W", bound="Wired")


def carried(
    method: Callable[Concatenate[W, P], T],
) -> Callable[Concatenate[W, P], T]:
    """Take arguments, result and errors over a wire, as Ray does."""

    @wraps(method)
    def wired(self: W, /, *args: P.args, **kwargs: P.kwargs) -> T:
        there = pickle.loads(pickle.dumps((args, kwargs)))
        try:
            with self.world.changed:
                self.alive()
                self.world.trip(method.__name__)
                result = method(self, *there[0], **there[1])
                self.world.check()
                self.world.changed.notify_all()
        except OrchError as error:
            # A refusal is raised on this side of the wire, and keeps its class.
            raise type(error)(pickle.loads(pickle.dumps(error.faults))) from None
        return cast(T, pickle.loads(pickle.dumps(result)))

    return wired


class Wired:
    """One end of it; it can be cut."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.swept = False
        """The last step of taking over is done."""
        self._cut = False

    def cut(self) -> None:
        """The controller's process dies: nothing gets through any more."""
        self.world.change(lambda: setattr(self, "_cut", True))

    def alive(self) -> None:
        """Raises once the connection was cut."""
        if self._cut:
            raise OrchError.of(Code.RUNNER_LOST, "this controller is dead")
