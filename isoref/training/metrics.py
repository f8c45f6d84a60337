"""Figures that tell how far two networks differ, and what their layers look like."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.network import Network

NDArray = np.ndarray[Any, Any]


def epsilon_scaled(y: Array, other: Array) -> float:
    """Return ε = 100/N Σ ‖y′ − y‖/‖y‖ over the N rows, in per cent; rows of zeros are left out.

    Examples
    --------
    >>> epsilon_scaled(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]]))
    10.0
    """
    first, second = (_wide(v) for v in (y, other))
    length = np.linalg.norm(first, axis=1)
    kept = length > 0
    return float(100 * np.mean(np.linalg.norm(second - first, axis=1)[kept] / length[kept]))


def divergence(y: Array, other: Array) -> float:
    """Return the mean Kullback–Leibler divergence KL(softmax y ‖ softmax y′), in nats.

    Examples
    --------
    >>> divergence(np.zeros((2, 3)), np.ones((2, 3)))
    0.0
    """
    log_p, log_q = (_log_softmax(_wide(v)) for v in (y, other))
    return float(np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=1)))


def spectrum_sum(net: Network) -> float:
    """Return Σσ, the sum of the singular values of all weights.

    Examples
    --------
    >>> round(spectrum_sum(Network.random((3, 3, 2), seed=0)), 12)
    5.0
    """
    weights = (_wide(layer.weight) for layer in net.layers)
    return float(sum(np.linalg.svd(weight, compute_uv=False).sum() for weight in weights))


def _wide(array: Array) -> NDArray:
    return arrays.to_numpy(array).astype(np.float64)


def _log_softmax(y: NDArray) -> NDArray:
    shifted = y - y.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
