"""Networks from their definition, in mpmath: y, and by dual numbers every derivative of it.

Written from specification, section 2 alone: r = √(‖a‖² + q), g = σ(r)/r, h = g a. Derivatives are
those of sums, products, quotients and roots; nothing of section 3 is used, and no subgradient: at
r = 0 there is no answer. The numbers are exact copies of the arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

from isoref import AXES, Network, Tangent
from tests.oracles.profiles import PAIRS, Pair

NDArray = np.ndarray[Any, Any]

Entries = dict[tuple[int, str], NDArray]
"""The arrays of a network or tangent by layer and name."""


class Answers(NamedTuple):
    """Object arrays of mpmath numbers: y, the gradient of ⟨ȳ, y⟩ and the derivative of y."""

    y: NDArray
    gradient: Entries
    xbar: NDArray
    ydot: NDArray


def evaluate(
    net: Network, x: Any, ybar: Any, net_dot: Tangent, x_dot: Any, digits: int = 60
) -> Answers:
    """Return everything that forward, backward and jvp return, with `digits` digits."""
    with mp.workdps(digits):
        point, velocity = entries(net), entries(net_dot)
        rows, columns = x.shape
        sizes = [array.size for array in point.values()]
        count = sum(sizes) + columns + 1
        identity = np.split(numbers(np.eye(count)), np.cumsum([*sizes, columns]), axis=1)
        directions: Entries = {}
        for basis, (key, array) in zip(identity, point.items(), strict=False):
            directions[key] = basis.reshape(count, *array.shape)
            directions[key][-1] = velocity[key]
        # One direction moves one coordinate of every sample: samples do not see each other.
        moved = np.broadcast_to(identity[-2][:, None, :], (count, rows, columns)).copy()
        moved[-1] = numbers(x_dot)
        y = _forward(net, Dual(numbers(x), moved), point, directions)
        pulled = numbers(ybar) * y.d
        sums = np.split(pulled.sum((1, 2)), np.cumsum(sizes))
        gradient = {
            key: part.reshape(array.shape)
            for part, (key, array) in zip(sums, point.items(), strict=False)
        }
        xbar = pulled.sum(2)[sum(sizes) : -1].T
        return Answers(y.v, gradient, xbar, y.d[-1])


def entries(tree: Network | Tangent) -> Entries:
    """Return the arrays of `tree` as mpmath numbers."""
    return {
        (i, name): numbers(getattr(layer, name))
        for i, layer in enumerate(tree.layers)
        for name in AXES
        if getattr(layer, name) is not None
    }


def numbers(array: Any) -> NDArray:
    """Return floats as an object array of mpmath numbers."""
    floats = np.asarray(array, np.float64)
    return np.array([mp.mpf(float(v)) for v in floats.ravel()], object).reshape(floats.shape)


def distance(got: Any, want: NDArray) -> NDArray:
    """Return |got − want|, rounded once."""
    difference = np.asarray(numbers(got) - want, object)
    return np.array([float(abs(d)) for d in difference.ravel()]).reshape(difference.shape)


@dataclass(frozen=True)
class Dual:
    """Values v and their derivatives d in P directions, stacked on the first axis."""

    v: NDArray
    d: NDArray

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.v + other.v, self.d + other.d)

    def __mul__(self, other: Dual) -> Dual:
        return Dual(self.v * other.v, self.d * other.v + self.v * other.d)

    def __truediv__(self, other: Dual) -> Dual:
        v = self.v / other.v
        return Dual(v, (self.d - v * other.d) / other.v)

    def times_transposed(self, other: Dual) -> Dual:
        """Return self · otherᵀ."""
        v = self.v @ other.v.T
        return Dual(v, self.d @ other.v.T + self.v @ np.swapaxes(other.d, 1, 2))

    def map(self, pair: Pair) -> Dual:
        """Apply a function given as r ↦ (f(r), f′(r))."""
        pairs: Any = np.frompyfunc(pair, 1, 2)(self.v)
        return Dual(pairs[0], pairs[1] * self.d)

    def summed(self) -> Dual:
        """Return the sum of every row, as a column."""
        return Dual(self.v.sum(-1, keepdims=True), self.d.sum(-1, keepdims=True))


def _root(square: Any) -> tuple[Any, Any]:
    return mp.sqrt(square), 1 / (2 * mp.sqrt(square))


def _forward(net: Network, h: Dual, point: Entries, directions: Entries) -> Dual:
    def row(i: int, name: str) -> Dual:
        d = directions[i, name]
        return Dual(point[i, name].reshape(1, -1), d.reshape(len(d), 1, -1))

    g = None
    for i, layer in enumerate(net.layers):
        a = h.times_transposed(Dual(point[i, "weight"], directions[i, "weight"])) + row(i, "bias")
        if g is not None:
            a = a + g * row(i, "psi")
        if layer.q is None:
            break
        r = ((a * a).summed() + row(i, "q")).map(_root)
        g = r.map(PAIRS[net.profile.name]) / r
        h = g * a
    return a
