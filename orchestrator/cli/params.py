"""Kinds of options that several commands have."""

from __future__ import annotations

import click

from orchestrator.lifecycle.states import State
from orchestrator.units import parse_duration


class Duration(click.ParamType[float]):
    """`90s`, `15m`, `2h`: seconds."""

    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds, or a usage error."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class ZeroDuration(Duration):
    """As `Duration`, and a plain `0`."""

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds, or a usage error."""
        return 0.0 if value == "0" else super().convert(value, param, ctx)


class States(click.ParamType[tuple[State, ...]]):
    """`pending,running`: states by name, in either case."""

    name = "state"

    def convert(
        self,
        value: str | tuple[State, ...],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[State, ...]:
        """The states, or a usage error."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(State(word.strip().upper()) for word in value.split(","))
        except ValueError:
            known = ", ".join(state.lower() for state in State)
            self.fail(f"'{value}' is no state; there are {known}", param, ctx)
