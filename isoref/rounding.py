"""Rounding as noise: normal deviates of the size of an arithmetic's own errors.

a sum of n terms    (½ √n u_accumulate + √(⅔ u_operand² + ⅓ u_store²)) Σ|terms|
with equal roundoffs  (½ √n + 1) u Σ|terms|                  (specification, section 10)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import sqrt
from operator import add
from typing import Any, NamedTuple

import numpy as np

from isoref.network import Network, Tangent, tree_map

NDArray = np.ndarray[Any, Any]


class Arithmetic(NamedTuple):
    """Unit roundoffs of the operands of products, of accumulation and of storage; the least number.

    The roundoffs are relative, half a unit in the last place; `tiny` is absolute, the smallest
    subnormal, and covers underflow.
    """

    operand: float
    accumulate: float
    store: float
    tiny: float


@dataclass(frozen=True)
class Perturbation:
    """Normal deviates of the size of an arithmetic's rounding, times `gain`; none without `rng`."""

    arithmetic: Arithmetic
    rng: np.random.Generator | None = None
    gain: float = 1.0

    def products(self, *pairs: tuple[NDArray, NDArray]) -> NDArray:
        """Return Σ a @ b over the pairs, perturbed as one sum of all their products."""
        terms = reduce(add, (np.abs(a) @ np.abs(b) for a, b in pairs))
        return self.summed(
            reduce(add, (a @ b for a, b in pairs)), terms, sum(a.shape[-1] for a, _ in pairs)
        )

    def terms(self, *terms: NDArray) -> NDArray:
        """Return the perturbed sum of the arrays."""
        return self.summed(reduce(add, terms), reduce(add, map(np.abs, terms)), len(terms))

    def relative(self, value: NDArray, units: float) -> NDArray:
        """Return `value`, perturbed by `units` roundoffs of storage."""
        return self.moved(value, units * self.arithmetic.store * np.abs(value), value, 1)

    def parameters(self, net: Network, deviation: Tangent) -> Network:
        """Return `net` with every parameter perturbed by its own deviation."""
        rng = self.rng
        if rng is None:
            return net

        def move(array: NDArray, spread: NDArray, spaces: tuple[int, ...]) -> NDArray:
            moved = array + self.gain * spread * rng.standard_normal(array.shape)
            return np.abs(moved) if spaces == () else moved

        return tree_map(move, net, deviation)

    def summed(self, value: NDArray, terms: NDArray, count: int) -> NDArray:
        """Return a sum of `count` terms, perturbed; `terms` is the sum of their sizes."""
        operand, accumulate, store, _ = self.arithmetic
        unit = 0.5 * sqrt(count) * accumulate + sqrt((2 * operand**2 + store**2) / 3)
        return self.moved(value, unit * terms, terms, count)

    def moved(self, value: NDArray, deviation: NDArray, operands: NDArray, count: int) -> NDArray:
        """Move `value`, unless its operands are all 0; each of `count` products may underflow."""
        if self.rng is None:
            return value
        size = self.gain * (deviation + count * self.arithmetic.tiny)
        moved = value + size * self.rng.standard_normal(np.shape(value))
        return np.where(operands == 0, value, moved)
