"""What rounding does at most: bounds that always hold, not six deviations of a model.

A running error analysis, worst case for sums of n products in any order, n u/(1 − n u) Σ|terms|
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1), and for a φ that is off
by at most its `ulps`. Errors pass φ times Lip φ and weights times |W|; so the bound grows with
depth where the error may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isnan
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.control.network import Elementwise
from isoref.control.propagation import trace
from isoref.gauge import UNIT
from isoref.norms import UP

NDArray = np.ndarray[Any, Any]


def rounding(net: Elementwise, x: Array, off: Mapping[int, NDArray] | None = None) -> NDArray:
    """Return a bound (B, n_{L+1}) on |forward(net, x) − y|, y the output in exact arithmetic.

    Parameters
    ----------
    net : Elementwise
    x : array of shape (B, n_0)
    off : mapping of layer to array, optional
        What the biases of these layers are off themselves, from an edit's `off`.

    Examples
    --------
    >>> net = Elementwise.random((2, 3, 1), seed=0)
    >>> bool((rounding(net, np.ones((1, 2))) < 1e-14).all())
    True
    """
    return errors(net, x, off or {})[-1]


def errors(net: Elementwise, x: Array, off: Mapping[int, NDArray]) -> list[NDArray]:
    """Return bounds on what is off in h of spaces 0 … L, and in y."""
    kind = arrays.precision(net.reference)
    states = [np.abs(wide(state.h)) for state in trace(net, x).states]
    found = [np.zeros(states[0].shape)]
    with arrays.quiet():
        for i, (layer, h) in enumerate(zip(net.layers, states, strict=True)):
            weight, bias = np.abs(wide(layer.weight)), np.abs(wide(layer.bias))
            own = summed(weight.shape[1] + 1, h @ weight.T + bias, kind)
            error = found[-1] @ weight.T + own + off.get(i, 0.0)
            if i < net.depth:
                own = summed(2 * net.phi.ulps, states[i + 1], kind)  # an ulp is at most 2 u
                error = net.phi.Lip * error + own
            found.append(error * UP)
    return found


def summed(count: float, terms: NDArray, kind: str) -> NDArray:
    """Return γ(count) Σ|terms|, what so many roundings do at most, and their underflow."""
    unit, tiny = UNIT[kind], float(np.finfo(kind).smallest_subnormal)
    return count * unit / (1 - count * unit) * terms + count * tiny


def largest(rows: NDArray) -> float:
    """Return the largest length of a row, infinite where it is not a number."""
    with arrays.quiet():
        size = float(np.max(np.linalg.norm(rows, axis=1)))
    return inf if isnan(size) else size


def wide(array: Array) -> NDArray:
    """Return an array of any library in float64 on the host."""
    return arrays.to_numpy(array).astype(np.float64)
