"""Figures that tell how far two networks differ, and what their layers look like.

A singular value is scaled by the largest before it is squared or divided, so that every figure of
one matrix is the same for cA as for A, c > 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from isoref import arrays, factor
from isoref.arrays import Array
from isoref.gauge import UNIT
from isoref.network import Network
from isoref.topology import incoming

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
    if not kept.any():
        raise ValueError("y must have a row that is not zero to be compared with, got none")
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


def spectra(net: Network) -> list[NDArray]:
    """Return for each layer the min(m, n) singular values of W, descending, float64.

    A structured weight counts as the plain array, a kernel unfolded to (n_out, taps·n_in). Gauge
    transformations leave them (C07).

    Examples
    --------
    >>> [s.round(12).tolist() for s in spectra(Network.random((3, 2, 2), seed=0))]
    [[1.0, 1.0], [1.0, 1.0]]
    """
    return [_singular_values(layer.weight) for layer in net.layers]


def spectrum_sum(net: Network) -> float:
    """Return Σσ, the sum of the singular values of all weights.

    Examples
    --------
    >>> round(spectrum_sum(Network.random((3, 3, 2), seed=0)), 12)
    5.0
    """
    return float(sum(values.sum() for values in spectra(net)))


def effective_rank(matrix: Array) -> float:
    """Return exp(−Σ p log p) of p = σ/Σσ, the effective rank of a matrix.

    1 ≤ effective_rank ≤ rank, which is attained where all singular values other than 0 are equal;
    0 for a zero matrix. O. Roy and M. Vetterli, "The effective rank: a measure of effective
    dimensionality", EUSIPCO 2007.

    Parameters
    ----------
    matrix : array of shape (m, n), or Structured
        Finite.

    Examples
    --------
    >>> round(effective_rank(np.diag([2.0, 2.0, 0.0])), 12)
    2.0
    """
    values = _scaled(matrix)
    p = values[values > 0] / values.sum() if len(values) else values
    return float(np.exp(-np.sum(p * np.log(p)))) if len(p) else 0.0


def participation_ratio(matrix: Array) -> float:
    """Return (Σσ²)²/Σσ⁴, how many squared singular values take part in ‖A‖²_F.

    1 ≤ participation_ratio ≤ rank, which is attained where all singular values other than 0 are
    equal; 0 for a zero matrix. Of the principal axes of data, it is the usual dimension of them.

    Parameters
    ----------
    matrix : array of shape (m, n), or Structured
        Finite.

    Examples
    --------
    >>> participation_ratio(np.diag([2.0, 1.0]))
    1.4705882352941178
    """
    squares = _scaled(matrix) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum()) if len(squares) else 0.0


def dead(net: Network) -> tuple[int, ...]:
    """Return for each hidden space n_s − rank M, M = [W | ψ]: neurons that (q, ψ) can absorb.

    A singular value counts as 0 beyond min(m, n), the structural nulls, and at most at
    max(m, n) u σ_max, u the roundoff of the network. Gauge transformations leave the number.

    Examples
    --------
    >>> dead(Network.random((3, 5, 2, 1), seed=0))
    (2, 0)
    """
    unit = UNIT[arrays.precision(net.reference)]
    found = []
    for space in range(1, net.depth + 1):
        matrix = incoming(net, space)
        found.append(len(matrix) - factor.rank(_singular_values(matrix), matrix.shape, unit))
    return tuple(found)


def scaffolds(net: Network) -> tuple[int, ...]:
    """Return for each hidden space the number of rows of [W | ψ | b] that are exactly zero.

    What `grow` adds, until it is trained. A scaffold is dead, a dead neuron seldom a scaffold: it
    is one only in a gauge that shows it, and with a bias of 0. Structure is not looked at.

    Examples
    --------
    >>> from isoref import grow
    >>> scaffolds(grow(Network.random((3, 2, 2, 1), seed=0), 1, 4, seed=0)[0])
    (4, 0)
    """
    found = []
    for space in range(1, net.depth + 1):
        used = np.any(incoming(net, space), axis=1) | (_wide(net.layers[space - 1].bias) != 0)
        found.append(int((~used).sum()))
    return tuple(found)


def _wide(array: Array) -> NDArray:
    return arrays.to_numpy(array).astype(np.float64)


def _log_softmax(y: NDArray) -> NDArray:
    shifted = y - y.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _singular_values(matrix: Array) -> NDArray:
    wide = _wide(matrix)
    return factor.left_factors(wide.reshape(len(wide), -1) if wide.ndim > 2 else wide)[1]


def _scaled(matrix: Array) -> NDArray:
    """Return σ/σ_max, or nothing for a zero matrix."""
    values = _singular_values(matrix)
    return values / values[0] if len(values) and values[0] > 0 else values[:0]
