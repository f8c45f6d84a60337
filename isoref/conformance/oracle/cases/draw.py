"""Seeded inputs of three families, and orthogonal matrices without rounding.

8      integers up to 255 times a power of 2: products are exact even in TF32 and bfloat16
24     normal deviates rounded to float32: they expose multipliers of reduced precision
53     normal deviates in float64
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np

from isoref.conformance.oracle.numbers import NDArray
from isoref.conformance.oracle.problem import READING

PROFILES = (
    *("tanh", "atan", "log1p", "softsign", "squash", "silu", "gelu"),
    *("relu(tau=0.5)", "relu(tau=1.25)", "identity", "unit"),
)
FAMILIES = (8, 24, 53)

VECTORS = {
    4: (1, 1, 1, 1),
    5: (2, 1, 1, 1, 1),
    6: (4, 3, 2, 1, 1, 1),
    7: (2, 2, 2, 1, 1, 1, 1),
    8: (3, 1, 1, 1, 1, 1, 1, 1),
}
"""Vectors v of squared length 4, 8, 32 or 16: I − 2vvᵀ/v·v has entries k/2^m."""


class Draw:
    """Numbers of one family from a seed of words."""

    def __init__(self, family: int, *words: Any) -> None:
        self.family = family
        key = [crc32(str(word).encode()) for word in (family, *words)]
        self.rng = np.random.default_rng(key)

    def array(self, *shape: int, scale: Any = 1.0) -> NDArray:
        """Return numbers of size about `scale`, powers of 2."""
        if self.family == 8:
            found = self.rng.integers(-255, 256, shape) / 128.0
        else:
            found = self.rng.standard_normal(shape)
        return self.fitted(found) * scale if self.family == 8 else self.fitted(found * scale)

    def positive(self, scale: float = 1.0) -> NDArray:
        """Return a number between scale/4 and scale, 0-d."""
        return self.fitted(np.array(self.rng.integers(64, 256) / 256.0)) * scale

    def fitted(self, array: NDArray) -> NDArray:
        """Return an array rounded to the family, float64."""
        return array.astype(np.float32).astype(np.float64) if self.family == 24 else array

    def network(
        self,
        widths: Sequence[int],
        *,
        prefix: str = "net",
        kernels: Sequence[tuple[int, ...]] = (),
        q: bool = True,
        psi: bool = True,
        bias: bool = True,
        scale: float = 0.5,
    ) -> dict[str, NDArray]:
        """Return the arrays of a network, zeros for what is left out."""
        found: dict[str, NDArray] = {}
        for i, (columns, rows) in enumerate(pairwise(widths)):
            kernel = kernels[i] if kernels else ()
            found[f"{prefix}.{i}.weight"] = self.array(rows, columns, *kernel, scale=scale)
            found[f"{prefix}.{i}.bias"] = self.array(rows, scale=0.5) * bias
            if i:
                found[f"{prefix}.{i}.psi"] = self.array(rows, *kernel, scale=0.5) * psi
            if i < len(widths) - 2:
                found[f"{prefix}.{i}.q"] = self.positive() * q
        return found

    def tangent(
        self, net: Mapping[str, NDArray], prefix: str, *, psi: bool = True, scale: float = 0.5
    ) -> dict[str, NDArray]:
        """Return arrays in the shapes of a network's."""
        return {
            prefix + name.removeprefix("net"): np.asarray(
                self.array(*array.shape, scale=scale) * (psi or not name.endswith("psi"))
            )
            for name, array in net.items()
            if name.startswith("net.")
        }

    def orthogonal(self, n: int, kind: str) -> NDArray:
        """Return a signed permutation, a reflection with entries k/2^m, or rotations by 3-4-5."""
        signs = self.rng.choice((-1.0, 1.0), n)
        turn: NDArray = np.eye(n)[self.rng.permutation(n)] * signs[:, None]
        if kind == "reflection" and n in VECTORS:
            v = np.array(VECTORS[n], np.float64)[self.rng.permutation(n)]
            return np.asarray(turn @ (np.eye(n) - 2 * np.outer(v, v) / (v @ v)))
        if kind == "3-4-5" and n > 1:
            for k in range(n - 1):
                plane = np.eye(n)
                plane[k : k + 2, k : k + 2] = np.array([[3, 4], [-4, 3]]) / 5
                turn = plane @ turn
        return turn


def every_other(profile: int, number: int) -> bool:
    """Whether a profile has a case: the first, tanh, has all, the others every second one."""
    return profile == 0 or (profile + number) % 2 == 1


def how(layers: int, *given: Mapping[str, int]) -> tuple[Mapping[str, int], ...]:
    """Return how each layer reads an image, the usual unless given."""
    found = [*given, *({} for _ in range(layers - len(given)))]
    return tuple({**READING, **one} for one in found)
