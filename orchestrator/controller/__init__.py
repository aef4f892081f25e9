"""The control plane: API, loop and store. The one place that wires plans to effects."""
