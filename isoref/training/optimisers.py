"""Optimisers: a rule that turns a gradient and a network-shaped state into the next network."""

from __future__ import annotations

from dataclasses import dataclass

from isoref import arrays
from isoref.arrays import Array
from isoref.network import Network, Tangent, entry_map


@dataclass(frozen=True)
class Momentum:
    """Gradient descent with momentum: m ← μ m + ∇ + λ θ,  θ ← θ − η m,  q projected to q ≥ 0.

    It commutes with the gauge (C21): training a rotated network is rotating the trained one.

    Parameters
    ----------
    rate : float
        η > 0.
    momentum : float
        0 ≤ μ < 1.
    decay : float
        λ ≥ 0, coupled weight decay of every parameter.
    """

    rate: float
    momentum: float = 0.9
    decay: float = 0.0

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"rate must be positive, got {self.rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1, got {self.momentum}")
        if not self.decay >= 0:
            raise ValueError(f"decay must not be negative, got {self.decay}")

    def start(self, net: Network) -> Tangent:
        """Return the state before the first step."""
        return Tangent.zeros(net)

    def step(self, net: Network, state: Tangent, gradient: Tangent) -> tuple[Network, Tangent]:
        """Return the next network and state."""
        xp = arrays.namespace(net.reference)
        state = self.momentum * state + gradient + self.decay * Tangent(net.layers)

        def descend(point: Array, velocity: Array, name: str) -> Array:
            moved = point - self.rate * velocity
            return xp.maximum(moved, xp.zeros_like(point)) if name == "q" else moved

        return entry_map(descend, net, state), state
