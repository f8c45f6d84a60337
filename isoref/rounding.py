"""Rounding as noise: normal deviates of the size of an arithmetic's own errors.

a sum of n terms    (½ √n u_accumulate + √(⅔ u_operand² + ⅓ u_store²)) Σ|terms|
with equal roundoffs  (½ √n + 1) u Σ|terms|                  (specification, section 10)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from math import prod, sqrt
from operator import add
from typing import Any, NamedTuple

import numpy as np

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


class Deviates:
    """Normal deviates for several evaluations at once, along a leading axis.

    `standard_normal` gives evaluation k what it would get if it came after k others, alone: drawing
    together changes no number. Each of them takes `count` deviates in all.
    """

    def __init__(self, rng: np.random.Generator, evaluations: int, count: int) -> None:
        self._table, self._at = rng.standard_normal((evaluations, count)), 0

    def standard_normal(self, shape: tuple[int, ...]) -> NDArray:
        """Return deviates (evaluations, *shape[1:])."""
        start, self._at = self._at, self._at + prod(shape[1:])
        return self._table[:, start : self._at].reshape(len(self._table), *shape[1:])


@dataclass(frozen=True)
class Perturbation:
    """Normal deviates of the size of an arithmetic's rounding, times `gain`; none without `rng`."""

    arithmetic: Arithmetic
    rng: np.random.Generator | Deviates | None = None
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

    def parameter(self, value: NDArray, deviation: NDArray) -> NDArray:
        """Return an array of parameters, perturbed by its own deviation."""
        if self.rng is None:
            return value
        return value + self.gain * deviation * self.rng.standard_normal(np.shape(value))

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


@dataclass(frozen=True)
class Tally(Perturbation):
    """Perturbs nothing, and notes how many deviates each value would take."""

    sizes: list[int] = field(default_factory=list)

    def parameter(self, value: NDArray, deviation: NDArray) -> NDArray:
        """Note the size of `value` and return it."""
        self.sizes.append(np.size(value))
        return value

    def moved(self, value: NDArray, deviation: NDArray, operands: NDArray, count: int) -> NDArray:
        """Note the size of `value` and return it."""
        self.sizes.append(np.size(value))
        return value
