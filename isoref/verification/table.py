"""The invariance table: what growing and removing neurons does to the trained network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from isoref.arrays import to_numpy
from isoref.network import Network
from isoref.propagation import forward
from isoref.pruning import prune
from isoref.tolerance import bounds
from isoref.topology import grow
from isoref.training import accuracy
from isoref.training.metrics import divergence, epsilon_scaled, spectrum_sum

NDArray = np.ndarray[Any, Any]

CHANGES = (1, 5, 25, -1, -5, -25)
"""Neurons added to the first hidden space, or removed from it."""


class Row(NamedTuple):
    """One edit: held-out accuracy after it, and what it changed on the held-out samples."""

    neurons: int
    accuracy: float
    delta_accuracy: float
    delta_sigma: float
    epsilon_scaled: float
    divergence: float
    measured: float
    bound: float


def invariance_table(net: Network, x: NDArray, labels: NDArray) -> list[Row]:
    """Return a row for each of ±1, ±5, ±25 neurons in the first hidden space of `net`.

    Columns: accuracy, Δaccuracy, ΔΣσ, ε_scaled in per cent, KL(softmax y ‖ softmax y′) in nats, the
    largest ‖Δy‖ and its bound: the certificate for removals, rounding alone for growth.
    """
    y = forward(net, x)
    rows = []
    for neurons in CHANGES:
        if neurons > 0:
            other, _ = grow(net, 1, neurons, seed=0)
            bound = float(np.linalg.norm(bounds(net, x).y + bounds(other, x).y, axis=1).max())
        else:
            other, certificate = prune(net, 1, count=-neurons, inputs=x)
            bound = certificate.bound
        z = forward(other, x)
        change = to_numpy(z).astype(np.float64) - to_numpy(y).astype(np.float64)
        rows.append(
            Row(
                neurons=neurons,
                accuracy=accuracy(z, labels),
                delta_accuracy=accuracy(z, labels) - accuracy(y, labels),
                delta_sigma=spectrum_sum(other) - spectrum_sum(net),
                epsilon_scaled=epsilon_scaled(y, z),
                divergence=divergence(y, z),
                measured=float(np.linalg.norm(change, axis=1).max()),
                bound=bound,
            )
        )
    return rows
